"""Parquet with images inside: what is odd, missing, damaged or hostile is said, with the remedy."""

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import InputError
from pipeline.data.decoding.pixels import scan_files
from pipeline.data.files.parquet_images import ParquetImages, class_names
from pipeline.data.raw import UnreadableError
from tests.fixtures.data import data_settings
from tests.fixtures.kept import NAMES, as_png, load, pack


def png(i):
    return as_png(np.full((8, 8, 3), i, np.uint8))


def write(path, *, n=12, names=NAMES, **columns):
    """A file as `datasets` writes it; `columns` replace its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = {
        "image": [{"bytes": png(i), "path": None} for i in range(n)],
        "label": [i % 3 for i in range(n)],
    } | columns
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    extra = {key: datasets.Value("string") for key in columns if key not in features}
    whole = datasets.Dataset.from_dict(cells, features=datasets.Features(features | extra))
    whole.to_parquet(str(path))


def source(path, **changes):
    return {"kind": "parquet", "path": str(path)} | changes


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("train-00000-of-00001", "validation-00000-of-00001", "test-00000-of-00001"), "train val test"),
        (("default/train/0000", "default/test/0000"), "train test"),
        (
            ("birds-train-00000-of-00002-0123456789abcdef", "birds-test-00000-of-00002-0123456789abcdef"),
            "train test",
        ),
        (("train_001", "train_002", "dev_001"), "train train val"),
        (("0000", "0001"), "None None"),
        (("data-00000-of-00002", "data-00001-of-00002"), "None None"),
    ],
)
def test_file_and_folder_names_say_the_split(tmp_path, files, expected):
    for k, name in enumerate(sorted(files)):
        write(
            tmp_path / f"{name}.parquet", image=[{"bytes": png(20 * k + i), "path": None} for i in range(12)]
        )
    rows = load(source(tmp_path)).rows
    by_file = {row.name.split(".parquet:")[0]: row.split for row in rows}
    assert [str(by_file[name]) for name in files] == expected.split()


def test_names_that_are_not_plain_are_asked_about(tmp_path):
    for name in ("train-00000-of-00001", "extra-00000-of-00001"):
        write(tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r'(?s)"extra" \(12\).*--split train=train.*split_by_name: false'):
        load(source(tmp_path))
    said = source(tmp_path, splits={"train": ["train"], "leave_out": ["extra"]})
    assert {row.split for row in load(said).rows} == {"train"}
    assert len(load(source(tmp_path, split_by_name=False)).rows) == 24
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no file that ends in \.parquet"):
        load(source(tmp_path / "empty"))
    with pytest.raises(InputError, match="none' does not exist"):
        load(source(tmp_path / "none"))


def test_a_split_column_is_read_and_mapped(tmp_path):
    write(tmp_path / "x.parquet", part=["a", "a", "b"] * 4)
    columns = {"split": "part"}
    with pytest.raises(InputError, match="--split-column part"):
        load(source(tmp_path, columns=columns))
    rows = load(source(tmp_path, columns=columns, splits={"train": ["a"], "test": ["b"]})).rows
    assert [row.split for row in rows[:3]] == ["train", "train", "test"]


@pytest.mark.parametrize("missing", [None, -1])
def test_images_without_a_label_stop_unless_their_split_is_left_out(tmp_path, missing):
    write(tmp_path / "train-00000-of-00001.parquet")
    write(tmp_path / "test-00000-of-00001.parquet", label=[missing] * 12)
    with pytest.raises(
        InputError, match=r"'label' is empty in 12 rows \(first: test-00000-of-00001.parquet:0\).*leave_out"
    ):
        load(source(tmp_path))
    rows = load(source(tmp_path, splits={"train": ["train"], "leave_out": ["test"]})).rows
    assert len(rows) == 12
    assert [row.label for row in rows[:3]] == NAMES


def test_numbers_beyond_the_classes_and_classes_that_differ_between_files_are_refused(tmp_path):
    schema = write_then_schema(tmp_path / "a.parquet")
    cells = pq.read_table(tmp_path / "a.parquet").set_column(1, "label", pa.array([7] + [0] * 11))
    pq.write_table(cells.cast(schema), tmp_path / "a.parquet")
    with pytest.raises(
        InputError, match=r"has 7 in 1 rows \(first: row 0\); its 3 classes are 0 to 2 \(zebra, ant, cow\)"
    ):
        load(source(tmp_path))
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", names=["ant", "zebra", "cow"])
    with pytest.raises(InputError, match=r"other classes in column 'label'.*numbers mean two things"):
        load(source(tmp_path))


def write_then_schema(path):
    write(path)
    return pq.read_schema(path)


def test_rows_without_image_and_damaged_bytes_are_named_or_left_out(tmp_path):
    image = [{"bytes": png(i), "path": None} for i in range(12)]
    image[1], image[2], image[3] = (
        None,
        {"bytes": b"no image", "path": None},
        {"bytes": None, "path": "/home/a.png"},
    )
    schema = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()})
    pq.write_table(pa.table({"image": image, "label": [0, 1] * 6}, schema=schema), tmp_path / "x.parquet")
    raw = load(source(tmp_path))
    found = scan_files(raw.rows, data_settings())
    assert [name for name, _ in found.unreadable] == ["x.parquet:1", "x.parquet:2", "x.parquet:3"]
    reasons = dict(found.unreadable)
    assert "no image" in reasons["x.parquet:1"]
    assert "not an image" in reasons["x.parquet:2"]
    assert "the path '/home/a.png' and no bytes" in reasons["x.parquet:3"], "which is not looked for"
    with pytest.raises(InputError, match="3 of 12 images cannot be read"):
        pack(raw, tmp_path / "packed")
    assert len(pack(raw, tmp_path / "packed", skip_unreadable=True)) == 9


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (pa.string(), "a.png", r"holds string, names of files: use `source.kind: table`"),
        (pa.list_(pa.uint8()), [1, 2], "no encoded images"),
        (pa.int64(), 3, r"Columns with images: none"),
    ],
)
def test_a_column_that_holds_no_images_says_what_it_holds(tmp_path, kind, values, message):
    table = pa.table({"image": pa.array([values] * 4, kind), "label": [0, 1, 0, 1]})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match=message):
        load(source(tmp_path))


def test_plain_bytes_names_of_columns_and_types_that_people_write(tmp_path):
    cells = {
        "picture": pa.array([png(i) for i in range(8)], pa.large_binary()),
        "kind": pa.array(["cat", "dog"] * 4).dictionary_encode(),
        "night": pa.array([True, False, None, True] * 2),
        "boxes": pa.array([[1]] * 8),
    }
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(cells), path)
    with pytest.raises(InputError, match=r"no column 'label'.*picture, kind, night, boxes.*columns\.label"):
        load(source(path))
    columns = {"image": "picture", "label": "kind", "attributes": ["night"]}
    raw = load(source(path, columns=columns))
    assert [row.attributes["night"] for row in raw.rows[:3]] == ["True", "False", "(missing)"]
    assert len(pack(raw, tmp_path / "packed", val_fraction=0.25, test_fraction=0.25)) == 8
    with pytest.raises(InputError, match=r"'boxes' holds list.*one value for each image"):
        load(source(path, columns=columns | {"label": "boxes"}))


def test_a_cut_or_foreign_file_is_said_to_be_damaged(tmp_path):
    path = tmp_path / "x.parquet"
    write(path)
    whole = path.read_bytes()
    for content in (whole[:-20], b"", b"PAR1 is not enough PAR1"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"x\.parquet cannot be read as Parquet"):
            load(source(path))
    raw_bytes = bytearray(whole)
    raw_bytes[40:400] = bytes(360)  # the first page of images
    path.write_bytes(raw_bytes)
    with pytest.raises(InputError, match="cannot be read"):
        pack(load(source(path)), tmp_path / "packed")


@pytest.mark.parametrize(
    "stored",
    [b"", b"[]", b'{"info": 1}', b"[" * 100_000, b'{"info":{"features":{"l":{"_type":"ClassLabel"}}}}'],
)
def test_metadata_of_hugging_face_that_are_none_say_nothing(stored):
    assert class_names(pa.schema({"l": pa.int64()}, metadata={"huggingface": stored})) == {}
    assert class_names(pa.schema({"l": pa.int64()})) == {}


def test_few_rows_are_held_at_a_time_whatever_a_row_group_holds(tmp_path, monkeypatch):
    cells = {"image": [png(i) + bytes(50_000) for i in range(60)], "label": [0, 1] * 30}
    for name in ("a", "b"):
        pq.write_table(pa.table(cells), tmp_path / f"{name}.parquet", row_group_size=30)
    monkeypatch.setattr("pipeline.data.files.parquet_images._BATCH_BYTES", 200_000)
    images = ParquetImages([tmp_path / "a.parquet", tmp_path / "b.parquet"], "image")
    order = [*range(0, 60, 7), 3, 59, 0]
    for row in order:
        for file in (0, 1):
            assert images.read(file, row) == cells["image"][row]
            assert len(images._batch) <= 4
    with pytest.raises(UnreadableError):
        write_empty(tmp_path).read(0, 0)


def write_empty(tmp_path):
    pq.write_table(pa.table({"image": pa.array([None], pa.binary())}), tmp_path / "none.parquet")
    return ParquetImages([tmp_path / "none.parquet"], "image")
