"""Split columns and folders: plain ones are read, others stop with a mapping that works as it is printed."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML

from pipeline.core.errors import InputError
from pipeline.data.entry.guess import new_dataset_entry
from pipeline.data.names.split_mapping import as_flags, as_yaml, parse_flags
from pipeline.data.names.split_names import read_column
from pipeline.data.names.split_words import looks_like_split
from pipeline.data.sources.registry import load_raw
from pipeline.settings.sources import Source
from tests.fixtures.data import noise, save_image


def counts(*names: str) -> dict[str, int]:
    return {name: 10 + i for i, name in enumerate(reversed(names))}


@pytest.mark.parametrize(
    ("column", "names", "expected"),
    [
        ("split", ["train", "val", "test"], "train val test"),
        ("fold", ["Training ", " validation", "TESTING"], "train val test"),
        ("subset", ["train", "dev", "test"], "train val test"),
        ("phase", ["train set", "test_images", "valSet"], "train test val"),
        ("phase", ["trainA", "testA"], None),
        ("split", ["train", "eval"], None),  # eval alone may be either
        ("split", ["train", "eval", "test"], "train val test"),
        ("split", ["train", "dev", "eval"], "train val test"),
        ("split", ["train"], "train"),
        ("split", ["test"], None),
        ("split", ["val", "test"], None),
        ("split", ["0", "1", "2"], "train val test"),
        ("partition", ["0.0", "1.0", "2.0"], "train val test"),
        ("split", ["0", "1"], None),
        ("split", ["1", "2", "3"], None),
        ("set", ["1", "2"], None),
        ("set", ["0", "1", "2"], None),
        ("fold", ["0", "1", "2"], None),
        ("fold", ["0", "1", "2", "3", "4"], None),
        ("split", ["train", "holdout"], None),
        ("split", ["train", "test", ""], None),
        ("usage", ["Training", "PublicTest", "PrivateTest"], None),
        ("split", ["train", "id_val", "test"], None),
        ("split", ["train2017", "val2017"], None),
    ],
)
def test_what_is_plain_and_what_is_asked(column, names, expected):
    assert looks_like_split(column, names)
    places, why = read_column(column, counts(*names))
    assert (None if why else " ".join(places[name] for name in names)) == expected


def test_numbers_of_equal_parts_are_folds():
    assert read_column("split", {"0": 20, "1": 20, "2": 20})[1]
    assert not read_column("split", {"0": 40, "1": 20, "2": 20})[1]


@pytest.mark.parametrize(
    ("column", "values", "is_split"),
    [
        ("dataSplit", ["a", "b"], True),
        ("data_set", ["a", "b"], True),
        ("is_valid", ["True", "False"], True),
        ("train", ["0", "1"], True),
        ("role", ["train", "test", "x"], True),
        ("role", ["train", "holdout"], True),
        ("part", ["fold1", "fold2"], True),
        ("xfold", ["0", "1"], True),
        ("dataset", ["coco", "voc"], False),
        ("vehicle", ["car", "train"], False),
        ("place", ["land", "water"], False),
        ("test", ["a", "b", "c"], False),
        ("1", ["a", "b"], False),
        *((name, ["0", "1"], True) for name in ("holdout", "hold_out", "heldout", "is_holdout", "isHeldOut")),
        *((name, ["True", "False"], True) for name in ("in_test", "for_training", "testset", "unseen")),
        *((name, ["0", "1"], False) for name in ("test_positive", "train_visible", "threshold_out", "held")),
        ("holdout", ["", "x"], True),
        ("holdout", ["", "0", "1"], True),
        ("usage", ["a", "b"], True),
        ("stage", ["Training", "Prüfung"], True),
        ("stage", ["I", "II"], False),
        ("x", ["train", "x"], True),
        ("x", ["rest", "Testdaten"], True),
        ("x", ["seg_train", "seg_test", "more"], True),
        ("x", ["val", "test"], True),
        ("x", ["entrenamiento", "validación", "prueba"], True),
        ("x", ["", "holdout"], True),
        ("arm", ["test", "control"], False),
        ("scene", ["train station", "harbour"], False),
        ("scene", ["train station", "test track", "bus stop"], False),
        ("quality", ["valid", "invalid"], False),
    ],
)
def test_columns_that_look_like_splits(column, values, is_split):
    assert looks_like_split(column, values) == is_split


def test_flags_and_yaml_hold_every_name():
    mapping = {
        "train": ["a, b", 'say "c"', "d e"],
        "val": ["null"],
        "test": ["1", "café: #1"],
        "leave_out": ["x", ""],
    }
    words = shlex.split(as_flags(mapping))
    assert words[::2] == ["--split"] * 5
    assert parse_flags(words[1::2]) == mapping
    assert YAML(typ="safe").load(as_yaml(mapping)) == {"splits": mapping}
    for wrong in ("train", "trian=a", "=a"):
        with pytest.raises(InputError, match="write PLACE=NAMES"):
            parse_flags([wrong])


# --- through new-dataset and the loader -----------------------------------------------------

N = 60


def make_table(root: Path, **columns: object) -> Path:
    turns = np.arange(N)
    table = pd.DataFrame({"file": [f"{i}.png" for i in turns], "label": turns % 2, **columns})
    for name in table["file"]:
        save_image(root / name, noise(0))
    table.to_csv(root / "list.csv", index=False)
    return root


def load(entry, tmp_path):
    return load_raw(TypeAdapter(Source).validate_python(entry["source"]), tmp_path)


def printed(error: pytest.ExceptionInfo[InputError]) -> tuple[dict[str, object], dict[str, object]]:
    """What the printed flags and the printed YAML say, as arguments of `new_dataset_entry`."""
    lines = [line for line in str(error.value).splitlines() if line.startswith("  ")]
    words = shlex.split(next(line for line in lines if "--split " in line))
    said = dict(zip(words[::2], words[1::2], strict=True))
    flags = [value for key, value in zip(words[::2], words[1::2], strict=True) if key == "--split"]
    by_flags = {"splits": parse_flags(flags)}
    if "--split-level" in said:
        by_flags["split_level"] = int(said["--split-level"])
    by_yaml = YAML(typ="safe").load("\n".join(line for line in lines if "--split" not in line))
    assert by_yaml == by_flags
    return {"said": by_flags, "split": said.get("--split-column")}, by_yaml


@pytest.mark.parametrize(
    ("column", "values", "n_used"),
    [
        ("split", ["train", "holdout", "test"], N),
        ("partition", ["train", "train", "hold out, 2"], N),
        ("fold", [0, 1, 2, 3, 4], N),
        ("fold", [0, 1, 2], N),
        ("set", [1, 2], N),
        ("split", ["train", "test", ""], 40),
        ("is_valid", [True, False], N),
        ("hold_out", [0, 1], N),
        ("stage", ["Training", "Prüfung"], N),
        ("origin", ["train", "x"], N // 2),
    ],
)
def test_a_split_that_is_not_plain_stops_with_a_mapping_that_works(tmp_path, column, values, n_used):
    given = {column: [values[i // 2 % len(values)] for i in range(N)], "place": np.arange(N) // 6 % 2}
    root = make_table(tmp_path / "set", **given)
    with pytest.raises(InputError, match=rf"column '{column}' looks like a split") as error:
        new_dataset_entry("x", root)
    assert all(f"({sum(v == value for v in given[column]):,})" in str(error.value) for value in values)
    arguments, keys = printed(error)
    entry = new_dataset_entry("x", root, **arguments)
    assert entry["source"]["columns"]["attributes"] == ["place"]
    raw = load(entry, tmp_path)
    assert len(raw.rows) == n_used
    assert {row.split for row in raw.rows} >= {"train"}
    bare = {key: value for key, value in entry["source"].items() if key != "splits"}
    with pytest.raises(InputError, match="looks like a split"):
        load({"source": bare}, tmp_path)
    assert load({"source": bare | keys}, tmp_path).rows == raw.rows
    without = new_dataset_entry("x", root, said={"split_level": 0})["source"]["columns"]
    assert without == {"file": "file", "label": "label", "attributes": ["place"]}


def test_what_was_read_into_a_split_is_said(tmp_path):
    values = np.array(["Training ", "dev", "test"])[np.minimum(np.arange(N) // 20, 2)]
    raw = load(new_dataset_entry("x", make_table(tmp_path / "set", split=values)), tmp_path)
    assert '"Training " -> train, "dev" -> val' in raw.notes[0]
    assert [row.split for row in raw.rows[::20]] == ["train", "val", "test"]


def test_a_split_and_numbers_of_equal_parts_are_no_attribute(tmp_path):
    split = np.where(np.arange(N) % 3, "train", "test")
    root = make_table(tmp_path / "set", split=split, site5=np.arange(N) % 5)
    assert "attributes" not in new_dataset_entry("x", root)["source"]["columns"]
    with pytest.raises(InputError, match="--attribute-column split: the column looks like a split"):
        new_dataset_entry("x", root, attributes=["split"])
    entry = new_dataset_entry("x", root, attributes=["split"], said={"split_level": 0})
    assert entry["source"]["columns"]["attributes"] == ["split"]


def test_two_columns_that_disagree_are_asked_about_and_folds_beside_a_split_are_not(tmp_path):
    split = np.where(np.arange(N) < 40, "train", "test")
    root = make_table(tmp_path / "a", split=split, fold=np.arange(N) % 5)
    assert new_dataset_entry("x", root)["source"]["columns"]["split"] == "split"
    root = make_table(tmp_path / "b", split=split, phase=split[::-1])
    with pytest.raises(InputError, match="--split-column split or --split-column phase"):
        new_dataset_entry("x", root)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": ["train"], "test": ["tset"]}, "names 'tset'.*did you mean 'test'"),
        ({"train": ["train"]}, 'not said: "test"'),
        ({"train": ["train", "test"], "test": ["Test"]}, "says both train and test of 'Test'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_named(tmp_path, given, message):
    root = make_table(tmp_path / "set", split=np.where(np.arange(N) < 40, "train", "test"))
    with pytest.raises(InputError, match=message):
        load(new_dataset_entry("x", root, said={"splits": given}), tmp_path)


def test_numbers_in_yaml_are_names_and_a_mapping_needs_a_train():
    source = {"kind": "folder", "path": "."}
    read = TypeAdapter(Source).validate_python({**source, "splits": {"train": [0, True], "test": [1.0]}})
    assert read.splits.train == ["0", "True"]
    with pytest.raises(ValidationError, match="train"):
        TypeAdapter(Source).validate_python({**source, "splits": {"test": ["a"]}})


# --- folders --------------------------------------------------------------------------------


def make_folder(root: Path, *names: str) -> Path:
    for name in names:
        save_image(root / name)
    return root


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (
            ["seg_train/cat/1.png", "seg_train/dog/1.png", "seg_test/cat/2.png", "seg_test/dog/2.png"],
            "cat dog",
        ),
        (["test/cat/1.png", "test/dog/1.png", "val/cat/2.png", "val/dog/2.png"], "cat dog"),
        (["train/cat/1.png", "train/dog/1.png", "test/1.png", "test/2.png"], "cat dog"),
        (["train/cat/1.png", "train/dog/1.png", "more/dog/1.png"], "cat dog"),
        (["train/cat/1.png", "train/dog/1.png", "val/cat/a.png", "valid/cat/a.png"], "cat dog"),
        (["cat/train/1.png", "cat/test/1.png", "dog/train/1.png", "dog/holdout/2.png"], "cat dog"),
        (["train/cat/1.png", "train/dog/1.png", "eval/cat/a.png"], "cat dog"),
        (["fold1/cat/1.png", "fold1/dog/1.png", "fold2/cat/a.png", "fold2/dog/a.png"], "cat dog"),
    ],
)
def test_split_folders_that_are_not_plain_stop_with_a_mapping_that_works(tmp_path, names, labels):
    root = make_folder(tmp_path / "set", *names)
    with pytest.raises(InputError, match="looks like a split") as error:
        load(new_dataset_entry("x", root), tmp_path)
    arguments, keys = printed(error)
    raw = load(new_dataset_entry("x", root, **arguments), tmp_path)
    assert " ".join(raw.classes) == labels
    assert "train" in {row.split for row in raw.rows}
    assert load({"source": {"kind": "folder", "path": str(root), **keys}}, tmp_path).rows == raw.rows
    without = load(new_dataset_entry("x", root, said={"split_level": 0, "label_level": 1}), tmp_path)
    assert {row.split for row in without.rows} == {None}


def test_a_class_called_train_is_a_class_and_said_to_be_one(tmp_path):
    raw = load(
        new_dataset_entry("x", make_folder(tmp_path / "set", "train/1.png", "car/1.png", "bus/1.png")),
        tmp_path,
    )
    assert raw.classes == ["bus", "car", "train"]
    assert "the folder train is taken for a class like bus, car" in raw.notes[0]


def test_flat_split_folders_hold_no_classes(tmp_path):
    root = make_folder(tmp_path / "set", "trainA/1.png", "trainB/1.png", "testA/1.png", "testB/1.png")
    with pytest.raises(
        InputError, match=r"no class folders with images.*trainA, trainB are classes: --no-split"
    ):
        load(new_dataset_entry("x", root), tmp_path)


def test_splits_inside_of_class_folders(tmp_path):
    names = [f"{c}/{s}/{i}.png" for c in ("cat", "dog") for s in ("train", "test") for i in (1, 2)]
    raw = load(new_dataset_entry("x", make_folder(tmp_path / "set", *names)), tmp_path)
    assert {(row.label, row.split, row.name.split("/")[1]) for row in raw.rows} == {
        (label, split, split) for label in ("cat", "dog") for split in ("train", "test")
    }
    assert "inside of the class folders are splits" in raw.notes[0]


CROSSED = [f"{s}/{a}/{b}/{i}.png" for s in ("train", "test") for a in "xy" for b in "pqr" for i in (1, 2)]


def test_folders_with_the_same_sub_folders_are_asked_about(tmp_path):
    root = make_folder(tmp_path / "set", *CROSSED)
    with pytest.raises(InputError, match=r"all have the same sub-folders \(p, q, r\)") as error:
        load(new_dataset_entry("x", root), tmp_path)
    found = []
    for line in [line for line in str(error.value).splitlines() if line.startswith("  --label-level")]:
        words = line.split("   label")[0].split()
        said = {key[2:].replace("-", "_"): int(n) for key, n in zip(words[::2], words[1::2], strict=True)}
        raw = load(new_dataset_entry("x", root, said=said), tmp_path)
        found.append((raw.classes, sorted({value for row in raw.rows for value in row.attributes.values()})))
    assert found == [(["x", "y"], ["p", "q", "r"]), (["p", "q", "r"], ["x", "y"]), (["x", "y"], [])]


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [
        ("{0}/{1}/1.png", "--split train=2020 --split test=2021"),
        ("{1}/{0}/1.png", "--split-level 2 --split train=2020 --split test=2021"),
    ],
)
def test_years_above_or_below_classes_may_be_splits(tmp_path, pattern, flags):
    names = [pattern.format(year, kind) for year in (2020, 2021) for kind in ("cat", "dog")]
    root = make_folder(tmp_path / "set", *names)
    with pytest.raises(InputError, match=f"  {flags}   2020, 2021 are splits") as error:
        load(new_dataset_entry("x", root), tmp_path)
    assert "--label-level 2 --attribute-level 1" in str(error.value)
    said = {"splits": parse_flags(["train=2020", "test=2021"])}
    said |= {"split_level": 2} if "level" in flags else {}
    raw = load(new_dataset_entry("x", root, said=said), tmp_path)
    assert (raw.classes, {row.split for row in raw.rows}) == (["cat", "dog"], {"train", "test"})
    with pytest.raises(InputError) as error:
        load(new_dataset_entry("x", make_folder(tmp_path / "other", *CROSSED)), tmp_path)
    assert "are splits" not in str(error.value)


def test_levels_say_that_a_table_beside_the_folders_is_not_the_source(tmp_path):
    root = make_folder(tmp_path / "set", "cat/1.png", "dog/1.png")
    (root / "scores.csv").write_text("who,score\nx,1\n")
    with pytest.raises(InputError, match="to read class folders instead of the table: --label-level 1"):
        new_dataset_entry("x", root)
    assert load(new_dataset_entry("x", root, said={"label_level": 1}), tmp_path).classes == ["cat", "dog"]
    with pytest.raises(InputError, match="is a file"):
        new_dataset_entry("x", root / "scores.csv", said={"label_level": 1})


def test_a_level_of_plain_splits_needs_no_mapping(tmp_path):
    root = make_folder(tmp_path / "set", "a/cat/train/1.png", "a/cat/test/2.png", "b/dog/train/3.png")
    raw = load(new_dataset_entry("x", root, said={"split_level": 3, "label_level": 2}), tmp_path)
    assert [(row.label, row.split) for row in raw.rows] == [
        ("cat", "test"),
        ("cat", "train"),
        ("dog", "train"),
    ]
    with pytest.raises(InputError, match=r"--split-level 1 --split train=a --split test=b|--split train=a"):
        load(new_dataset_entry("x", root, said={"split_level": 1}), tmp_path)


@pytest.mark.parametrize(
    "names", [["cat/a/1.png", "cat/b/1.png", "dog/c/1.png"], ["cat/images/1.png", "dog/images/1.png"]]
)
def test_folders_with_sub_folders_of_their_own_are_not(tmp_path, names):
    raw = load(new_dataset_entry("x", make_folder(tmp_path / "set", *names)), tmp_path)
    assert raw.classes == ["cat", "dog"]
