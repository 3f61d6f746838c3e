"""Arrays of NumPy: never unpickled, read by rows, and odd types, shapes and lengths said."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import InputError
from pipeline.data.decoding.pixels import scan_files
from pipeline.data.files.npz_arrays import NpzImages, list_arrays
from tests.fixtures.data import data_settings
from tests.fixtures.kept import as_png, load, pack

IMAGES = np.random.default_rng(3).integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
LABELS = np.arange(12) % 2


def source(path, **changes):
    return {"kind": "npz", "path": str(path)} | changes


def save(path, *, packed=False, **arrays):
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": LABELS.astype(object)}, r"'labels' holds Python objects.*dtype=str"),
        (
            {"images": np.array([np.zeros((2, 2)), np.zeros((3, 3))] * 6, dtype=object)},
            "'images' holds Python obj",
        ),
        ({"labels": LABELS[:11]}, "'images' has 12 images, 'labels' 11 values"),
        ({"labels": np.int64(3)}, "'labels' one value"),
        ({"labels": np.eye(12)}, r"'labels' is \(12, 12\), several values for each image.*argmax"),
        ({"labels": np.full(12, np.nan)}, r"'labels' is empty in 12 rows \(first: images:0\)"),
        ({"images": IMAGES[..., 0].astype(np.complex64)}, r"complex64, no images: N x height x width"),
        ({"images": IMAGES.reshape(12, -1)}, r"\(12, 192\) of uint8, no images"),
        ({"images": IMAGES[..., :2]}, r"\(12, 8, 8, 2\) of uint8, no images"),
        ({"images": np.asfortranarray(IMAGES)}, "Fortran order.*ascontiguousarray"),
        ({"images": np.zeros(12, [("a", "u1")])}, "is of records"),
        ({"classes": np.array(["cat"])}, r"'labels' has 1; its 1 classes are 0 to 0 \(cat\)"),
        ({"images": None}, r"no array 'images'\. Arrays found: labels"),
        ({"labels": None}, r"has no column 'labels'"),
    ],
)
def test_what_cannot_be_used_says_what_to_save_instead(tmp_path, arrays, message):
    whole = {"images": IMAGES, "labels": LABELS} | arrays
    path = save(tmp_path / "x.npz", **{key: value for key, value in whole.items() if value is not None})
    with pytest.raises(InputError, match=message):
        load(source(path))


@pytest.mark.parametrize(
    ("make", "as_shown"),
    [
        (lambda v: (v / 255).astype(np.float32), None),
        (lambda v: v.astype(np.float64), None),  # 0 to 255, in floats
        (lambda v: v.astype(np.int64), None),
        (lambda v: v.astype(np.uint16) * 257, None),
        (lambda v: v.astype(">u2") * 257, None),
        (lambda v: v > 127, lambda v: np.where(v > 127, 255, 0).astype(np.uint8)),
        (lambda v: v[..., 0], lambda v: np.repeat(v[..., :1], 3, axis=-1)),
        (lambda v: v[..., :1], lambda v: np.repeat(v[..., :1], 3, axis=-1)),
        (lambda v: np.concatenate([v, v[..., :1]], axis=-1), "on white"),
    ],
    ids=[
        "floats to 1",
        "floats to 255",
        "int64",
        "16 bit",
        "big endian",
        "bool",
        "gray",
        "one channel",
        "alpha",
    ],
)
def test_numbers_of_any_kind_become_the_pixels_that_files_of_them_would(tmp_path, make, as_shown):
    values = make(IMAGES)
    raw = load(source(save(tmp_path / "x.npz", images=values, labels=LABELS)))
    found = set(pack(raw, tmp_path / "packed", val_fraction=0.2))
    shown = as_shown(IMAGES) if callable(as_shown) else IMAGES
    if as_shown == "on white":
        opened = [Image.open(io.BytesIO(as_png(value))) for value in values]
        white = Image.new("RGBA", (8, 8), "white")
        shown = [np.asarray(Image.alpha_composite(white, each).convert("RGB")) for each in opened]
    assert found == {image.tobytes() for image in shown}


def test_dark_images_stay_dark_and_what_has_no_brightness_is_unreadable(tmp_path):
    values = np.stack(
        [np.full((8, 8), 0.5), np.full((8, 8), 1.0), np.full((8, 8), np.nan), np.full((8, 8), -3.0)]
    )
    raw = load(source(save(tmp_path / "x.npz", images=values, labels=[0, 1, 0, 1])))
    found = scan_files(raw.rows, data_settings())
    assert found.kept == [0, 1]
    assert "not finite" in dict(found.unreadable)["images:2"]
    assert "from -3 to -3" in dict(found.unreadable)["images:3"]
    assert [depth.high for depth in found.depths] == [0.5, 1.0]


@pytest.mark.parametrize("packed", [True, False])
def test_rows_are_read_in_any_order_and_damage_is_said(tmp_path, packed):
    path = save(tmp_path / "x.npz", packed=packed, images=IMAGES, labels=LABELS)
    rows = NpzImages(path, list_arrays(path)["images"])
    for row in (0, 5, 11, 2, 2, 0):
        np.testing.assert_array_equal(rows.read(row), IMAGES[row])
    whole = bytearray(path.read_bytes())
    middle = whole.index(b"images.npy") + 600
    whole[middle : middle + 40] = bytes(40)
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"no \.npz, or damaged"):
        pack(load(source(path)), tmp_path / "packed")
    path.write_bytes(whole[:-30])
    with pytest.raises(InputError, match=r"no \.npz, or damaged"):
        load(source(path))


def test_a_header_that_promises_more_than_there_is_is_refused_before_memory_is_asked_for(tmp_path):
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 8, 8)}
    np.lib.format.write_array_header_1_0(buffer, header)
    path = tmp_path / "x.npz"
    save(path, labels=LABELS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("images.npy", buffer.getvalue() + bytes(64))
    with pytest.raises(InputError, match=r"says \(1099511627776, 8, 8\) of uint8, but has"):
        load(source(path))


def test_names_of_splits_are_taken_off_and_arrays_that_are_not_read_are_said(tmp_path):
    arrays = {
        "train_images": IMAGES,
        "train_labels": LABELS,
        "te_images": IMAGES[:4],
        "te_labels": LABELS[:4],
    }
    raw = load(source(save(tmp_path / "x.npz", **arrays, extra=np.zeros(3))))
    assert [row.split for row in raw.rows] == ["train"] * 12 + ["test"] * 4
    assert len({row.name for row in raw.rows}) == 16
    assert raw.notes == ["arrays that were not read: extra"]
    lone = {"kind": "npz", "path": str(tmp_path / "x.npz"), "split_by_name": False}
    with pytest.raises(InputError, match="no array 'images'"):
        load(lone)
    rows = load(lone | {"columns": {"image": "train_images", "label": "train_labels"}}).rows
    assert {row.split for row in rows} == {None}
