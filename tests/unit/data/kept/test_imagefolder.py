"""Metadata beside images: names stay below the folder, one file a folder counts, and labels come from "
"somewhere."""

import os

import pytest

from pipeline.core.errors import InputError
from pipeline.data.files.read_table import read_table
from tests.fixtures.data import noise, save_image
from tests.fixtures.kept import load


def write(root, files):
    """Text files as they are; images where the content is None."""
    for k, (name, content) in enumerate(files.items()):
        if content is None:
            save_image(root / name, noise(k))
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
    return {"kind": "imagefolder", "path": str(root)}


TRAIN = {"train/0.png": None, "train/1.png": None}


@pytest.mark.parametrize(
    "name", ["../../secret.png", "/etc/passwd", "..\\..\\secret.png", "a/../../../x.png"]
)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    save_image(tmp_path / "secret.png", noise(0))
    source = write(tmp_path / "set", TRAIN | {"train/metadata.csv": f"file_name,label\n0.png,a\n{name},b\n"})
    with pytest.raises(InputError, match=r"which is not below .*relative to the metadata's folder"):
        load(source | {"columns": {"label": "label"}})


def test_two_metadata_files_in_one_folder_and_none_at_all(tmp_path):
    rows = "file_name,label\n0.png,a\n1.png,b\n"
    source = write(tmp_path / "set", TRAIN | {"train/metadata.csv": rows, "train/metadata.jsonl": "{}\n"})
    with pytest.raises(InputError, match=r"holds metadata\.csv and metadata\.jsonl: which one counts"):
        load(source)
    (tmp_path / "set/train/metadata.jsonl").unlink()
    assert len(load(source | {"columns": {"label": "label"}}).rows) == 2
    os.remove(tmp_path / "set/train/metadata.csv")
    with pytest.raises(InputError, match=r"holds no metadata\.csv, metadata\.jsonl"):
        load(source)
    with pytest.raises(InputError, match="is not a folder"):
        load({"kind": "imagefolder", "path": str(tmp_path / "none")})


def test_images_in_no_class_folder_ask_for_the_column_of_labels(tmp_path):
    rows = "file_name,kind\n0.png,a\n1.png,b\n"
    source = write(
        tmp_path / "set",
        TRAIN | {"test/0.png": None, "train/metadata.csv": rows, "test/metadata.csv": rows[:23]},
    )
    with pytest.raises(InputError, match=r"lie in no class folder: .*: file_name, kind .*--label-column"):
        load(source)
    raw = load(source | {"columns": {"label": "kind"}})
    assert [(row.name, row.split, row.label) for row in raw.rows] == [
        ("test/0.png", "test", "a"),
        ("train/0.png", "train", "a"),
        ("train/1.png", "train", "b"),
    ]
    (tmp_path / "set/test/metadata.csv").write_text("file_name,sort\n0.png,a\n")
    with pytest.raises(InputError, match=r"test/metadata\.csv has no column 'kind'"):
        load(source | {"columns": {"label": "kind"}})


def test_images_that_no_row_names_are_said_and_rows_without_image_stop(tmp_path):
    rows = "file_name,label\n0.png,a\n"
    source = write(tmp_path / "set", TRAIN | {"train/metadata.csv": rows}) | {"columns": {"label": "label"}}
    (note,) = load(source).notes
    assert "1 images left out: 1 not listed in the metadata (train/1.png)" in note
    (tmp_path / "set/train/metadata.csv").write_text(rows + "7.png,b\n")
    with pytest.raises(InputError, match=r"1 of 2 images named in .* are missing: 'train/7\.png'"):
        load(source)


def test_folders_that_are_splits_but_not_plain_are_asked_about(tmp_path):
    rows = "file_name,label\n0.png,a\n"
    files = {f"{part}/0.png": None for part in ("train", "extra")}
    source = write(tmp_path, files | {f"{part}/metadata.csv": rows for part in ("train", "extra")})
    columns = {"columns": {"label": "label"}}
    with pytest.raises(InputError, match=r'(?s)not understood: "extra".*split_by_name: false'):
        load(source | columns)
    said = load(source | columns | {"splits": {"train": ["train"], "test": ["extra"]}})
    assert sorted(row.split for row in said.rows) == ["test", "train"]
    assert {row.split for row in load(source | columns | {"split_by_name": False}).rows} == {None}


def test_json_lines_are_read_as_a_table_is(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text(
        '{"file_name": "a.png", "n": 1, "deep": {"x": 1}}\n\n'
        '{"file_name": "b.png", "n": null, "flag": true}\n'
    )
    cells = read_table(path).cells
    assert cells.to_dict("list") == {
        "file_name": ["a.png", "b.png"],
        "n": ["1", ""],
        "deep": ['{"x": 1}', ""],
        "flag": ["", "True"],
    }
    for content, message in (
        ("[1]\n", r"line 1: a JSON list"),
        ('{"a": 1}\n{', "line 2: not JSON"),
        ("", "has no rows"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_table(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_table(path)
