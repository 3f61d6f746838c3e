"""Tables as people have them: encodings, headers, file names, spellings; nothing is lost or confused."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from pipeline.core.errors import InputError
from pipeline.data.entry.guess import new_dataset_entry
from pipeline.data.files.read_table import read_table
from pipeline.data.names.naming import natural_key
from pipeline.data.names.roles import describe_roles
from pipeline.data.names.spelling import find_spelling, join_spellings
from pipeline.data.sources.registry import load_raw
from pipeline.settings.sources import Source
from tests.fixtures.data import noise, save_image

# --- reading --------------------------------------------------------------------------------

PLAIN = "file,label\nä.png,1\nb.png,2\n"


@pytest.mark.parametrize(
    ("content", "columns", "cells", "note"),
    [
        (PLAIN.encode(), "file label", "ä.png 1 b.png 2", None),
        (PLAIN.encode("utf-8-sig"), "file label", "ä.png 1 b.png 2", None),
        (PLAIN.encode("utf-16"), "file label", "ä.png 1 b.png 2", "not UTF-8: it was read as utf-16"),
        (PLAIN.encode("utf-16-be"), "file label", "ä.png 1 b.png 2", "read as utf-16-be"),
        (PLAIN.encode("latin-1"), "file label", "ä.png 1 b.png 2", "read as cp1252"),
        (b"\n\nfile;label\n\na,1.png;1\nb.png;2\n", "file label", "a,1.png 1 b.png 2", None),
        (b"file\tlabel\ra.png\t1\rb.png\t2\r", "file label", "a.png 1 b.png 2", None),
        (b'file,label\n"a,1.png","x, ""y"""\nb.png,2\n', "file label", 'a,1.png x,_"y" b.png 2', None),
        (b"a.png,1\nb.png,2\n", "column_1 column_2", "a.png 1 b.png 2", "has no header"),
        (b"1;a.PNG\n2;b.png\n", "column_1 column_2", "1 a.PNG 2 b.png", "has no header"),
        (b"file,label\na.png,1,\nb.png,2,\n", "file label", "a.png 1 b.png 2", "trailing separator"),
        (b"file,label,\na.png,1,\nb.png,2,\n", "file label", "a.png 1 b.png 2", "trailing separator"),
        (b",file\n0,a.png\n1,b.png\n", "Unnamed:_0 file", "0 a.png 1 b.png", None),
        (b"#file,label\na.png,1\nb.png,2\n", "#file label", "a.png 1 b.png 2", None),
        (b'file,"la\nbel"\na.png,1\nb.png,2\n', "file la_bel", "a.png 1 b.png 2", None),
    ],
)
def test_a_table_is_read_whole_and_what_was_done_is_said(tmp_path, content, columns, cells, note):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    table = read_table(path)

    def shown(values):
        return " ".join("_".join(value.split()) for value in values)

    assert shown(table.cells.columns) == columns
    assert shown(table.cells.to_numpy().ravel()) == cells
    assert [note in each for each in table.notes] == ([True] if note else [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "file,label,label \na.png,1,2\n",
            r"several columns called label \('label', 'label '.*Rename or remove",
        ),
        ("file,label,label\na.png,1,2\n", "several columns called label"),
        ("file,label\na, b.png,1\n", r'row 2 has 3 cells, the first row 2.*\("a, b"\)'),
        ("file,label\n" + "a.png,1\n" * 60 + "b,c.png,1\n", "Expected 2 fields in line 62, saw 3"),
        ("# by me, 2020\nfile,label\na.png,1\n", r"\(file, label\) there are 1 lines .*'# by me,  2020'"),
        ("# a\n# b\nfile,label,x\na.png,1,2\n", r"there are 2 lines of comments .*'# a'\. Remove them"),
        ("% a\n\nfile;label\na;1\nb;2\n", r"\(file, label\) there are 1 lines"),
        (
            "Birds of 2020\n\nfile\tlabel\na.png\t1\n",
            "there are 1 lines of comments or a title, first 'Birds",
        ),
        ("", "has no rows"),
        (b"file,label\n\x81\x8d.png,1\n", "encoding that is not known"),
    ],
)
def test_what_cannot_be_read_is_explained(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_parquet_of_any_type_reads_as_text(tmp_path):
    table = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", "b", "a"]),
            "flag": [True, False, True],
            "whole": [1.0, 2.0, None],
            "n": np.array([3, 4, 5], np.int8),
            "part": [0.5, 1.0, 2.0],
        }
    )
    table.to_parquet(tmp_path / "t.parquet")
    cells = read_table(tmp_path / "t.parquet").cells
    assert cells.to_numpy().tolist() == [
        ["a", "True", "1", "3", "0.5"],
        ["b", "False", "2", "4", "1.0"],
        ["a", "True", "", "5", "2.0"],
    ]
    table.assign(**{"n ": 1}).to_parquet(tmp_path / "twice.parquet")
    with pytest.raises(InputError, match="several columns called n"):
        read_table(tmp_path / "twice.parquet")


# --- names ----------------------------------------------------------------------------------

CAFE = ("caf\u00e9", "cafe\u0301")


@pytest.mark.parametrize(
    ("names", "expected", "said"),
    [
        (["cat", "cat ", "Cat", "cat"], "cat cat cat cat", "'Cat', 'cat', 'cat ' -> cat"),
        ([*CAFE, CAFE[1]], " ".join([CAFE[0]] * 3), r"'cafe\u0301', 'café' -> café"),
        (["a  b", "a b"], "a_b a_b", "'a  b', 'a b' -> a b"),
        (["1.0", "2.0", "1"], "1 2 1", "'1', '1.0' -> 1, '2.0' -> 2"),
        (["-1.0", "0.5"], "-1.0 0.5", None),
        (["cat", "cat\u200b", "\ufeffcat", "c\u00adat"], "cat cat cat cat", r"'cat', 'cat\u200b'"),
        (["\ufb01sh", "\ufb01sh", "fish"], "fish fish fish", r"'fish', '\ufb01sh' -> fish"),
        (["cat\u200b"], "cat", r"'cat\u200b' -> cat"),
        (["m\u00b2"], "m\u00b2", None),
        (["\u0645\u06cc\u200c\u062e"], "\u0645\u06cc\u200c\u062e", None),
        (["007", "7"], "007 7", None),
        (["NA", "x"], "NA x", None),
        (["1.0", "x"], "1.0 x", None),
    ],
)
def test_spellings_of_one_name_are_joined_and_said(names, expected, said):
    shown, notes = join_spellings(names, "label", is_exact=False)
    assert " ".join(name.replace(" ", "_") for name in shown) == expected
    assert [said in note and "--keep-names" in note for note in notes] == ([True] if said else [])
    assert join_spellings(names, "label", is_exact=True) == (names, [])


def test_names_are_found_in_any_spelling_and_numbers_are_sorted_as_numbers():
    assert [find_spelling(name, ["Cat", "1"]) for name in (" cat", "1.0", "dog")] == ["Cat", "1", None]
    numbers = ["10", "9", "-1", "1", "-10", "0.5", "+2"]
    assert sorted(numbers, key=natural_key) == ["-10", "-1", "0.5", "1", "+2", "9", "10"]
    assert sorted(["c10", "c9", "3", "b"], key=natural_key) == ["3", "b", "c9", "c10"]


# --- through the loader and new-dataset -----------------------------------------------------

N = 24
TURNS = np.arange(N)
FILES = [f"{i:03d}.png" for i in TURNS]


def make(root: Path, names=None, files=FILES, **columns: object) -> Path:
    """A table beside its images; `names` is how it calls `files`."""
    for name in files:
        save_image(root / name, noise(0))
    table = pd.DataFrame({"file": list(names or files), "label": TURNS % 2} | columns)
    table.to_csv(root / "t.csv", index=False)
    return root


def load(root: Path, tmp_path: Path, **source: object):
    said = {
        "kind": "table",
        "path": str(root),
        "table": "t.csv",
        "columns": {"file": "file", "label": "label"},
    }
    return load_raw(TypeAdapter(Source).validate_python(said | source), tmp_path)


@pytest.mark.parametrize(
    "write",
    [
        lambda name: name.removesuffix(".png"),
        lambda name: f" {name}",
        lambda name: name.upper(),
        lambda name: f"./{name}",
        lambda name: f"sub\\..\\{name}",
    ],
)
def test_names_that_are_nearly_the_files_are_found_and_said(tmp_path, write):
    names = [write(name) for name in FILES]
    root = make(tmp_path / "set", names)
    entry = new_dataset_entry("x", root)
    assert entry["source"]["columns"]["file"] == "file"
    raw = load_raw(TypeAdapter(Source).validate_python(entry["source"]), tmp_path)
    assert [row.name for row in raw.rows] == FILES
    plain = names[0].startswith(("./", "sub"))  # another way to write the same path
    assert [f"{names[0]!r} -> 000.png" in note for note in raw.notes] == ([] if plain else [True])


def test_a_name_in_another_unicode_form_is_found(tmp_path):
    files = [f"{CAFE[0]}{i}.png" for i in TURNS]
    root = make(tmp_path / "set", [unicodedata.normalize("NFD", name) for name in files], files)
    raw = load(root, tmp_path)
    assert [row.name for row in raw.rows] == files
    assert r"not quite the files' (Unicode form): 'cafe\u03010.png' -> café0.png" in raw.notes[0]


def test_names_that_are_not_files_show_the_value_and_the_path_tried(tmp_path):
    root = make(tmp_path / "set", ["nowhere 1", *FILES[1:]])
    with pytest.raises(
        InputError, match=r"are missing: 'nowhere 1'\. Looked for .*/set/nowhere 1, also without"
    ):
        load(root, tmp_path)
    root = make(tmp_path / "other", [f"http://x/{name}" for name in FILES])
    with pytest.raises(
        InputError, match=r"Column 'file' has 'http://x/000.png': looked for .*other/http:/x/000"
    ):
        new_dataset_entry("x", root)
    root = make(tmp_path / "two", [name.removesuffix(".png") for name in FILES])
    save_image(root / "000.jpg")
    with pytest.raises(
        InputError, match=r"'000' may be 000.jpg, 000.png\. Write the names with their ending"
    ):
        load(root, tmp_path)


def test_one_image_listed_in_two_ways_is_listed_twice(tmp_path):
    raw = load(make(tmp_path / "set", ["./001.png", *FILES[1:]]), tmp_path)
    assert [row.name for row in raw.rows[:2]] == ["001.png", "001.png"]  # the plan refuses them


def test_labels_and_attributes_are_joined_and_blanks_are_a_value(tmp_path):
    label = np.array(["cat", "cat ", "Cat", "dog"])[TURNS % 4]
    place = np.array(["land", "", "Land ", "water"])[TURNS // 4 % 4]
    root = make(tmp_path / "set", label=label, place=place)
    columns = {"file": "file", "label": "label", "attributes": ["place"]}
    raw = load(root, tmp_path, columns=columns, label_names={"CAT": "feline"})
    assert raw.classes == ["feline", "dog"]
    assert raw.attribute_values == {"place": ["land", "water", "(missing)"]}
    assert [row.attributes["place"] for row in raw.rows[::4]] == [
        "land",
        "(missing)",
        "land",
        "water",
        "land",
        "(missing)",
    ]
    assert ["(missing)" in note or "-> " in note for note in raw.notes] == [True] * 3
    exact = load(root, tmp_path, columns=columns, names="exact")
    assert exact.classes == ["Cat", "cat", "cat ", "dog"]
    with pytest.raises(InputError, match="two names for 'Cat'"):
        load(root, tmp_path, label_names={"Cat": "a", "cat": "b"})


def test_class_folders_are_joined_too(tmp_path):
    for number, name in enumerate(
        ("train/cat", "train/dog", "test/Cat ", f"test/{CAFE[0]}", f"train/{CAFE[1]}")
    ):
        save_image(tmp_path / "set" / name / f"{number}.png")
    source = {"kind": "folder", "path": str(tmp_path / "set")}
    raw = load_raw(TypeAdapter(Source).validate_python(source), tmp_path)
    assert raw.classes == [CAFE[0], "cat", "dog"]
    assert "'Cat ', 'cat' -> cat" in raw.notes[0]
    exact = load_raw(TypeAdapter(Source).validate_python(source | {"names": "exact"}), tmp_path)
    assert len(exact.classes) == 5


def test_leaving_out_a_split_leaves_out_its_classes(tmp_path):
    split, label = np.where(TURNS < 16, "train", "extra"), np.where(TURNS < 16, TURNS % 2, 9)
    raw = load(
        make(tmp_path / "set", split=split, label=label),
        tmp_path,
        columns={"file": "file", "label": "label", "split": "split"},
        splits={"train": ["train"], "leave_out": ["extra"]},
    )
    assert raw.classes == ["0", "1"]
    assert len(raw.rows) == 16
    assert not [note for note in raw.notes if "not listed" in note]


def test_roles_are_shown_with_what_was_passed_over_and_its_flag(tmp_path):
    root = make(
        tmp_path / "set",
        place=np.array(["land", "water", ""])[TURNS // 2 % 3],
        weather=[f"w{i % 12}" for i in TURNS],
        species=np.where(TURNS % 2, "owl", "gull"),
        fold=TURNS % 5,
        one="same",
        rare=np.where(TURNS < 4, "x", np.where(TURNS < 8, "y", "")),
    )
    entry = new_dataset_entry("x", root, said={"split_level": 0})
    assert entry["source"]["columns"] == {"file": "file", "label": "label", "attributes": ["place"]}
    source = TypeAdapter(Source).validate_python(entry["source"])
    raw = load_raw(source, tmp_path)
    assert "no split is used, though column fold looks like one" in raw.notes
    text = describe_roles(source, raw, {"--file-column": "file"})
    for line in (
        "image file     column 'file'\n",
        "label          column 'label' (guessed; --label-column)",
        "split          none: made by chance (--split-column)",
        "groups         column 'place' (guessed; --attribute-column)",
        "passed over    column 'weather': it has 12 values, more than 10",
        "passed over    column 'species': label and it decide each other",
        "passed over    column 'fold': it looks like a split",
        "passed over    column 'one': it has one value only",
        "passed over    column 'rare': 67% of its cells are empty; compare one with --attribute-column NAME",
    ):
        assert line in text
    only = new_dataset_entry("x", root, said={"split_level": 0}, attributes=["weather"])
    assert only["source"]["columns"]["attributes"] == ["weather"]


@pytest.mark.parametrize(
    ("column", "twin", "flag", "argument"),
    [
        ("label", "Label", "--label-column", "label"),
        ("file", "FILE", "--file-column", "file"),
        ("split", "Split", "--split-column", "split"),
        ("place", "Place", "--attribute-column", "attributes"),
        ("scene", "SCENE", "--group-column", "group_column"),
    ],
)
def test_columns_that_differ_in_case_alone_are_asked_about(tmp_path, column, twin, flag, argument):
    cells = {
        "split": np.where(TURNS < 16, "train", "test"),
        "place": np.where(TURNS // 2 % 2, "land", "water"),
        "scene": TURNS // 2,
    }
    root = make(tmp_path / "set", **{k: v for k, v in cells.items() if k != "scene" or column == k})
    table = pd.read_csv(root / "t.csv")
    table.assign(**{twin: table[column]}).to_csv(root / "t.csv", index=False)
    with pytest.raises(InputError, match=f"{flag} {column} or {flag} {twin}"):
        new_dataset_entry("x", root)
    given = [column] if argument == "attributes" else column
    columns = new_dataset_entry("x", root, **{argument: given})["source"]["columns"]
    assert columns[argument] == given
    raw = load_raw(
        TypeAdapter(Source).validate_python(new_dataset_entry("x", root, **{argument: given})["source"]),
        tmp_path,
    )
    assert len(raw.rows) == N


def test_without_a_header_the_first_image_counts_and_one_column_left_is_the_label(tmp_path):
    root = make(tmp_path / "set")
    table = pd.DataFrame(
        {"file": FILES, "kind": np.where(TURNS % 2, "a", "b"), "s": np.where(TURNS < 16, "train", "test")}
    )
    table.to_csv(root / "t.csv", index=False, header=False)
    entry = new_dataset_entry("x", root)
    assert entry["source"]["columns"] == {"file": "column_1", "label": "column_2", "split": "column_3"}
    raw = load_raw(TypeAdapter(Source).validate_python(entry["source"]), tmp_path)
    assert [row.name for row in raw.rows] == FILES
    table.assign(more=TURNS // 3 % 2).to_csv(root / "t.csv", index=False, header=False)
    with pytest.raises(InputError, match=r"first row: '000.png', 'b', 'train', '0'.*--label-column"):
        new_dataset_entry("x", root)
