"""Guessed entries load what they describe; writing one changes nothing else in params.yaml."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.data.entry.guess import new_dataset_entry
from pipeline.data.entry.preview import preview
from pipeline.data.entry.write import write_entry, write_lists
from pipeline.data.raw import RawRow
from pipeline.data.sources.registry import load_raw
from pipeline.plan.params_file import read_params
from pipeline.settings.sources import Source
from tests import ROOT
from tests.fixtures.data import noise, raw_dataset, save_image


def load(entry, tmp_path):
    return load_raw(TypeAdapter(Source).validate_python(entry["source"]), tmp_path)


def make_table(root: Path, **columns) -> Path:
    n = 40
    table = pd.DataFrame({"id": range(n), "file": [f"{i}.png" for i in range(n)], **columns})
    for name in table["file"]:
        save_image(root / "images" / name, noise(0, 50))
        save_image(root / "masks" / name, np.zeros((50, 50), np.uint8))
    table.to_csv(root / "list.csv", index=False)
    return root


TURNS = np.arange(40)


def test_a_table_is_guessed_column_by_column(tmp_path):
    root = make_table(
        tmp_path / "set",
        species=np.where(TURNS % 2, "gull", "owl"),  # the label under another name: no attribute
        label=TURNS % 2,
        weather=np.where(TURNS // 2 % 2, "sun", "rain"),
        background=TURNS // 4 % 2,
        split=np.where(TURNS < 30, "train", "test"),
        weight=np.random.default_rng(0).normal(size=40),
    )
    entry = new_dataset_entry("birds", root)
    assert entry["source"] == {
        "kind": "table",
        "path": str(root),
        "table": "list.csv",
        "columns": {
            "file": "file",
            "label": "label",
            "split": "split",
            "attributes": ["background", "weather"],
        },
        "images": "images",
        "masks": "masks",
    }
    assert entry["data"] == {"image_size": 48}
    assert set(entry) == {"source", "data"}, "what it decided and nothing else"
    raw = load(entry, tmp_path)
    assert len(raw.rows) == 40
    assert raw.rows[0].mask is not None


def test_arguments_decide_where_given(tmp_path):
    root = make_table(tmp_path / "set", kind=TURNS % 2, weather=TURNS // 2 % 2)
    with pytest.raises(InputError, match=r"no column is named like a label.*id, file, kind, weather"):
        new_dataset_entry("x", root)
    entry = new_dataset_entry("x", root / "list.csv", label="kind", attributes=[], image_size=20)
    assert entry["source"]["columns"] == {"file": "file", "label": "kind"}
    assert entry["data"] == {"image_size": 20}
    with pytest.raises(InputError, match="no column 'knd'; did you mean 'kind'"):
        new_dataset_entry("x", root, label="knd")


def test_a_folder_of_class_folders(tmp_path):
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png"):
        save_image(tmp_path / "set" / name, noise(1, 40))
    entry = new_dataset_entry("pets", tmp_path / "set")
    assert entry["source"] == {"kind": "folder", "path": str(tmp_path / "set")}
    assert entry["data"] == {"image_size": 32}
    assert len(load(entry, tmp_path).rows) == 3


def test_what_cannot_be_guessed_is_explained(tmp_path):
    with pytest.raises(InputError, match="a-z, 0-9 and _"):
        new_dataset_entry("My-Set", tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        new_dataset_entry("x", tmp_path / "none")
    with pytest.raises(InputError, match=r"no files.*A table \(.csv"):
        new_dataset_entry("x", tmp_path)
    (tmp_path / "a.csv").write_text("file,label\nmissing.png,1\n")
    with pytest.raises(InputError, match="no column of the table names image files"):
        new_dataset_entry("x", tmp_path)
    (tmp_path / "b.csv").write_text("x\n1\n")
    with pytest.raises(InputError, match=r"several tables: a\.csv, b\.csv"):
        new_dataset_entry("x", tmp_path)


@pytest.mark.parametrize(
    ("has_table", "arguments", "message"),
    [
        (
            False,
            {"attributes": ["place"], "split": "x", "group_column": "q"},
            r"--split-column, --attribute-column, --group-column: .* no columns\. Use --attribute-level",
        ),
        (False, {"label": "kind"}, r"--label-column: .*or give a table \(\.csv"),
        (False, {"file": "f", "said": {"label_level": 1}}, "--file-column: .* no columns. Use"),
        (True, {"label": "kind", "said": {"label_level": 1}}, r"not both: without levels the table .*t\.csv"),
        (False, {"group_column": "", "attributes": []}, None),
    ],
)
def test_flags_of_columns_without_a_table_stop(tmp_path, has_table, arguments, message):
    for name in ("cat/1.png", "dog/1.png"):
        save_image(tmp_path / "set" / name)
    if has_table:
        (tmp_path / "set/t.csv").write_text("file,kind\ncat/1.png,a\ndog/1.png,b\n")
    if message is None:
        assert new_dataset_entry("x", tmp_path / "set", **arguments)["source"]["kind"] == "folder"
        return
    with pytest.raises(InputError, match=message):
        new_dataset_entry("x", tmp_path / "set", **arguments)


def test_levels_do_not_fit_a_table_of_flat_images(tmp_path):
    root = make_table(tmp_path / "set", label=TURNS % 2)
    for path, message in ((root / "images", "are of folders"), (root / "list.csv", "are of folders, and")):
        with pytest.raises(InputError, match=message):
            new_dataset_entry("x", path, said={"label_level": 1})
    save_image(tmp_path / "flat/0.png")
    (tmp_path / "flat/t.csv").write_text("file,label\n0.png,1\n")
    with pytest.raises(InputError, match=r"Leave them out to read the table .*t\.csv"):
        new_dataset_entry("x", tmp_path / "flat", said={"attribute_level": 1})


def test_no_split_beside_a_split_contradicts(tmp_path, monkeypatch, capsys):
    shipped = ROOT / "params.yaml"
    (tmp_path / "params.yaml").write_bytes(shipped.read_bytes())
    make_table(tmp_path / "set", label=TURNS % 2)
    monkeypatch.chdir(tmp_path)
    for flag, value in (("--split", "train=a"), ("--split-column", "label"), ("--split-level", "1")):
        assert main(["new-dataset", "birds", "set", "--no-split", flag, value]) == 1
        assert f"{flag} and --no-split contradict" in capsys.readouterr().err


def test_a_wrapped_table_and_wrapped_class_folders_are_found(tmp_path):
    make_table(tmp_path / "a/zip/set", label=TURNS % 2)
    assert new_dataset_entry("x", tmp_path / "a")["source"]["path"] == str(tmp_path / "a/zip/set")
    for name in ("cat/1.png", "dog/1.png"):
        save_image(tmp_path / "b/zip/set" / name)
    entry = new_dataset_entry("x", tmp_path / "b")
    raw = load(entry, tmp_path)
    assert (raw.title, raw.classes) == ("b", ["cat", "dog"])
    assert raw.notes == ["the folder holds one folder only, so classes were read from zip/set/"]


# --- params.yaml ----------------------------------------------------------------------------

PARAMS = """\
# top
active: [one]   # which
active_methods:
- erm
defaults:
  data: { image_size: null } # why
datasets:
  # first
  one:
    source: { kind: x,   path: null }  # spaced
    data: {}

  # second
  two:
    source:
      kind: y
      # inner
# about the end
end: 1e-3
"""
ENTRY = {"source": {"kind": "folder", "path": "/a b: #c"}, "data": {"image_size": 32}, "color": {}}


def written(tmp_path: Path, text: str, *args, **options) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    write_entry(path, *args, **options)
    return path.read_text()


def test_a_new_entry_goes_after_the_last_and_every_other_byte_stays(tmp_path):
    text = written(tmp_path, PARAMS, "three", ENTRY)
    start, end = text.index("\n  three:"), text.index("# about the end")
    assert text[:start] + text[end:] == PARAMS
    assert YAML(typ="safe").load(text)["datasets"]["three"] == ENTRY


@pytest.mark.parametrize("name", ["one", "two"])
def test_overwriting_replaces_that_entry_alone(tmp_path, name):
    with pytest.raises(InputError, match=f"a dataset '{name}' already"):
        written(tmp_path, PARAMS, name, ENTRY)
    assert (tmp_path / "params.yaml").read_text() == PARAMS
    text = written(tmp_path, PARAMS, name, ENTRY, overwrite=True)
    before, after = YAML(typ="safe").load(PARAMS), YAML(typ="safe").load(text)
    assert after == {**before, "datasets": {**before["datasets"], name: ENTRY}}
    for comment in ("# top", "# why", "# first", "# second", "# about the end"):
        assert comment in text


@pytest.mark.parametrize("text", ["datasets: {}\n", "datasets: {}\nend: 1", "datasets:\n    one: {a: 1}"])
def test_other_layouts(tmp_path, text):
    before = YAML(typ="safe").load(text)
    after = YAML(typ="safe").load(written(tmp_path, text, "new", ENTRY))
    assert after == {**before, "datasets": {**before["datasets"], "new": ENTRY}}


@pytest.mark.parametrize("active", ["[one]   # which", "\n- one\n- two", "\n  - one", "[one,\n  two\n]"])
def test_activate_makes_it_the_only_one(tmp_path, active):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.replace("[one]   # which", active))
    write_lists(path, {"active": ["two"]})
    text = path.read_text()
    assert YAML(typ="safe").load(text)["active"] == ["two"]
    assert text.split("active_methods")[1] == PARAMS.split("active_methods")[1]
    assert ("# which" in text) == ("# which" in active)


def test_unusable_params_files(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        write_entry(tmp_path / "none.yaml", "a", ENTRY)
    for text, message in (
        ("a: [", "not valid YAML"),
        ("- 1", "not a mapping"),
        ("a: 1", "no mapping `datasets`"),
    ):
        with pytest.raises(InputError, match=message):
            written(tmp_path, text, "a", ENTRY)
    with pytest.raises(InputError, match="no list `active`"):
        write_lists(tmp_path / "params.yaml", {"active": ["a"]})


# --- preview --------------------------------------------------------------------------------


def test_preview_shows_counts_names_and_formats(tmp_path):
    path = save_image(tmp_path / "x.png")
    rows = [
        RawRow("first.png", path, "cat", "train", {"light": "day"}),
        RawRow("second", noise(0), "dog", "test", {"light": "night"}),
    ]
    text = preview(raw_dataset(rows, notes=["look here"]))
    assert "Test: 2 images, 2 classes" in text
    assert "  cat    day        1    0     0" in text
    assert "  dog    night      0    0     1" in text
    for part in ("first.png", "PNG RGB 8 x 8", "array 8 x 8", "note: look here", "masks: 0 of 2"):
        assert part in text
    bare = preview(raw_dataset([RawRow("a", noise(0), str(i)) for i in range(60)]))
    assert "groups are of a found cue" in bare
    assert "and 20 more rows" in bare
    assert "no split yet" in bare
    assert "Test: 0 images" in preview(raw_dataset([]))


def test_the_command_writes_no_entry_that_the_data_stage_would_refuse(tmp_path, monkeypatch, capsys):
    shipped = ROOT / "params.yaml"
    params = tmp_path / "params.yaml"
    params.write_bytes(shipped.read_bytes())
    for number in range(4):
        save_image(tmp_path / "birds" / "gull" / f"{number}.png", noise(number, 32))
    monkeypatch.chdir(tmp_path)
    assert main(["new-dataset", "birds", "birds"]) == 1
    assert "has one class only (gull)" in capsys.readouterr().err
    assert params.read_bytes() == shipped.read_bytes()


def test_every_image_is_opened_unless_told_not_to(tmp_path, monkeypatch, capsys):
    shipped = ROOT / "params.yaml"
    (tmp_path / "params.yaml").write_bytes(shipped.read_bytes())
    for number in range(400):
        save_image(tmp_path / f"birds/{('gull', 'owl')[number % 2]}/{number}.png", noise(number, 8))
    (tmp_path / "birds/owl/211.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    command = ["new-dataset", "birds", "birds", "--no-timing"]
    assert main(command) == 1
    assert "1 of 400 images cannot be read:\n  owl/211.png" in capsys.readouterr().err
    assert "birds" not in read_params().datasets
    assert main([*command, "--no-scan"]) == 0
    assert main([*command, "--skip-unreadable", "--overwrite"]) == 0
    said = capsys.readouterr().out
    assert "every image was opened: 399 of 400 can be read\nnote: 1 unreadable images were left out" in said
    assert read_params().dataset("birds").data.skip_unreadable


def activated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    shipped = ROOT / "params.yaml"
    (tmp_path / "params.yaml").write_bytes(shipped.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["new-dataset", "birds", "set", "--activate", "--no-timing"]) == 0
    params = read_params(tmp_path / "params.yaml")
    params.check()
    assert params.active == ["birds"]
    methods = params.datasets["birds"].get("methods")
    return {"active": params.active_methods, "explained": params.explained_methods, "methods": methods}


def test_methods_that_small_groups_rule_out_are_left_out_with_the_reason(tmp_path, monkeypatch, capsys):
    turns = np.arange(40)
    split = np.where(turns < 20, "train", np.where(turns < 30, "val", "test"))
    make_table(tmp_path / "set", label=turns % 2, background=turns // 2 % 2, split=split)
    assert activated(tmp_path, monkeypatch) == {
        "active": ["erm", "group_dro", "jtt", "repair"],
        "explained": ["erm", "group_dro"],
        "methods": None,
    }
    said = capsys.readouterr().out
    assert "left out of active_methods: subg. SUBG's subset has 20 images" in said
    assert "left out of active_methods: dfr. DFR fits on as many images" in said


def test_groups_that_a_cue_may_form_are_judged_by_their_classes(tmp_path, monkeypatch, capsys):
    for number in range(40):
        save_image(tmp_path / "set" / ("gull", "owl")[number % 2] / f"{number}.png", noise(number, 32))
    found = activated(tmp_path, monkeypatch)
    assert found["active"] == ["erm", "group_dro", "jtt", "repair"]
    assert found["methods"] == {key: {"allow_empty_groups": True} for key in ("group_dro", "rwg", "subg")}
    said = capsys.readouterr().out
    assert "images per group (classes so far: a cue that is found may split them)" in said
    assert "left out of active_methods: subg." in said


def test_an_entry_takes_no_more_lines_than_it_needs(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("datasets: {}\n")
    entry = {
        "source": {
            "kind": "table",
            "path": "/a path/" + "long " * 20,
            "columns": {"file": "f: x", "label": "y", "attributes": ["place", "0"]},
            "splits": {"train": ["t" * 50], "val": [], "test": ["u" * 50]},
        },
        "data": {"image_size": 64},
    }
    write_entry(path, "birds", entry)
    text = path.read_text()
    assert YAML(typ="safe", pure=True).load(text) == {"datasets": {"birds": entry}}
    assert text.splitlines()[5:] == [
        "      columns: {file: 'f: x', label: y, attributes: [place, '0']}",
        "      splits:",
        f"        train: [{'t' * 50}]",
        "        val: []",
        f"        test: [{'u' * 50}]",
        "    data: {image_size: 64}",
    ]
