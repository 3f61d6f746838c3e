"""Every kind of image file becomes the right 8-bit RGB square; masks follow the same geometry."""

import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import InputError
from pipeline.data.decoding import decode as module
from pipeline.data.decoding.depth import Depth, Ranges, fit_ranges
from pipeline.data.decoding.pixels import note_files, scan_files
from pipeline.data.raw import RawRow, UnreadableError
from pipeline.pixels.maps import FOREGROUND, opacity_of
from tests.fixtures.data import data_settings

RED, WHITE = [255, 0, 0], [255, 255, 255]


def decode(image, mask, *, ranges=None, **options):
    return module.decode(image, mask, ranges=ranges or Ranges(), **options)


def read(path: Path, size: int = 4, fit="crop", mask=None) -> np.ndarray:
    return decode(path, mask, size=size, fit=fit).image


def save(tmp_path: Path, picture: Image.Image, name: str = "x.png", **options) -> Path:
    picture.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "YCbCr"])
def test_a_white_image_of_any_mode_is_white(tmp_path, mode):
    name = "x.tif" if mode in ("CMYK", "YCbCr") else "x.png"
    if mode == "I;16":
        picture = Image.fromarray(np.full((4, 4), 65535, np.uint16))
    else:
        picture = Image.new("RGB", (4, 4), "white").convert(mode)
    np.testing.assert_array_equal(read(save(tmp_path, picture, name)), np.full((4, 4, 3), 255))


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path):
    levels = (np.arange(16, dtype=np.uint16) * 4369).reshape(4, 4)  # 0..65535 in 16 steps
    shown = read(save(tmp_path, Image.fromarray(levels)))
    np.testing.assert_array_equal(shown[..., 0].ravel(), np.arange(16) * 17)


def test_float_images_are_scaled_by_the_range_of_the_dataset(tmp_path):
    """Not by their own: a nearly black image among bright ones stays so."""
    path = save(tmp_path, Image.fromarray(np.full((4, 4), 0.5, np.float32)), "x.tif")
    assert (read(path) == 128).all()
    assert (decode(path, None, size=4, fit="crop", ranges=Ranges(float_=(0, 255))).image == 0).all()
    bright = save(tmp_path, Image.fromarray(np.full((4, 4), 200, np.float32)), "y.tif")
    assert (decode(bright, None, size=4, fit="crop", ranges=Ranges(float_=(0, 255))).image == 200).all()


def test_thirty_two_bit_values_without_agreed_brightness_are_refused(tmp_path):
    picture = Image.fromarray(np.full((4, 4), 1_000_000, np.int32))
    with pytest.raises(UnreadableError, match=r"1e\+06; without `data.value_range: \[black, white\]`"):
        read(save(tmp_path, picture, "x.tif"))


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.ppm"])
def test_sixteen_bit_color_keeps_its_lower_bits(tmp_path, name):
    """Pillow alone would give the upper 8 bits: 12-bit values came out black."""
    colors = np.zeros((4, 4, 3), np.uint16)
    colors[..., 0], colors[..., 1] = 4095, 2048
    cv2.imwrite(str(tmp_path / name), colors[..., ::-1])
    found = decode(tmp_path / name, None, size=4, fit="crop", ranges=Ranges(integer=(0, 4095)))
    assert found.image[2, 2].tolist() == [255, 128, 0]
    assert found.depth == Depth("integer", 4095, 4095)


def test_sixteen_bit_color_with_transparency_is_laid_on_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint16)
    pixels[:, :2] = (0, 0, 4095, 65535)  # blue, green, red: opaque
    cv2.imwrite(str(tmp_path / "x.png"), pixels)
    shown = decode(tmp_path / "x.png", None, size=4, fit="crop", ranges=Ranges(integer=(0, 4095))).image
    assert [shown[0, 0].tolist(), shown[0, 3].tolist()] == [RED, WHITE]


@pytest.mark.parametrize(("dtype", "given"), [(np.int32, (-1000, 1000)), (np.float32, (-1000, 1000))])
def test_a_given_range_shows_any_values_and_clips_the_others(tmp_path, dtype, given):
    values = np.array([[-3000, -1000], [0, 1500]], dtype)
    path = save(tmp_path, Image.fromarray(values), "x.tif")
    ranges = Ranges(given, given, is_given=True)
    shown = decode(path, None, size=2, fit="crop", ranges=ranges).image[..., 0]
    assert shown.tolist() == [[0, 0], [128, 255]]
    with pytest.raises(UnreadableError, match="-3000 to 1500"):
        read(path)


def depths(*highs: float, kind="integer") -> list[Depth]:
    return [Depth(kind, high, high) for high in highs]


@pytest.mark.parametrize(
    ("found", "integer", "float_"),
    [
        (depths(200, 4000), (0, 4095), (0, 1)),
        (depths(40, 255), (0, 255), (0, 1)),
        (depths(1, 0), (0, 255), (0, 1)),
        (depths(5000), (0, 16383), (0, 1)),
        (depths(1000, 65535), (0, 65535), (0, 1)),
        (depths(0.2, 1.0, kind="float"), (0, 65535), (0, 1)),
        (depths(0.2, 1.1, kind="float"), (0, 65535), (0, 255)),
        ([], (0, 65535), (0, 1)),
    ],
)
def test_the_narrowest_usual_range_holds_all_values_of_the_dataset(found, integer, float_):
    assert fit_ranges(Ranges(), found) == Ranges(integer, float_)
    given = Ranges((0, 9), (0, 9), is_given=True)
    assert fit_ranges(given, found) == given


DAMAGES = [
    lambda exif: b"Exif\0\0" + b"?" * 40,
    lambda exif: exif[:12],
    lambda exif: exif[:-8],  # within the tag, which Pillow drops with a warning alone
]


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_exif_does_not_spoil_whole_pixels(tmp_path, kind, damage):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = save(tmp_path, striped(30, 30), f"x.{kind}", exif=exif)
    assert decode(whole, None, size=30, fit="crop").has_damaged_exif is False
    broken = save(tmp_path, striped(30, 30), f"y.{kind}", exif=damage(exif.tobytes()))
    found = decode(broken, None, size=30, fit="crop")
    assert found.has_damaged_exif
    np.testing.assert_array_equal(found.image, read(save(tmp_path, striped(30, 30), f"z.{kind}"), 30))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("n_kept", "is_damaged", "is_turned"), [(None, False, True), (-4, True, False), (60, False, True)]
)
def test_exif_is_damaged_only_where_the_orientation_is_lost(tmp_path, n_kept, is_damaged, is_turned):
    exif = Image.Exif()
    exif[0x010F] = (
        "a camera's long name" * 3
    )  # its value stands behind the directory; where it is longer than
    # all that is left, Pillow goes on to the next tag
    exif[0x0112] = 3
    path = save(tmp_path, striped(30, 30), "x.jpg", exif=exif.tobytes()[:n_kept])
    found = decode(path, None, size=30, fit="crop")
    plain = read(save(tmp_path, striped(30, 30), "y.jpg"), 30)
    assert found.has_damaged_exif == is_damaged
    assert (found.image == (plain[::-1, ::-1] if is_turned else plain)).all()


def test_pillows_warnings_of_exif_do_not_reach_the_terminal(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, striped(30, 30), "x.jpg", exif=exif.tobytes()[:-8])
    code = "import sys, pipeline.data; from PIL import Image; dict(Image.open(sys.argv[1]).getexif())"
    said = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x.jpg"], capture_output=True, text=True, check=True
    )
    assert said.stderr == ""


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_of_several_frames_the_first_is_shown_and_noted(tmp_path, kind):
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    path = save(tmp_path, first, f"x.{kind}", save_all=True, append_images=[second, first])
    single = save(tmp_path, first, f"y.{kind}")
    assert read(path)[0, 0, 0] > 250
    assert read(path)[0, 0, 2] < 5
    rows = [RawRow(file.name, file, "a") for file in (path, single)]
    assert note_files(scan_files(rows, data_settings())) == [
        f"1 files have several frames: the first is used: x.{kind}"
    ]


def test_what_cameras_put_behind_a_photograph_is_no_second_frame(tmp_path):
    path = save(
        tmp_path, striped(30, 30), "x.jpg", format="MPO", save_all=True, append_images=[striped(8, 8)]
    )
    assert not decode(path, None, size=8, fit="crop").has_frames


def test_transparency_is_laid_on_white(tmp_path):
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half.paste((255, 0, 0, 255), (0, 0, 2, 4))
    shown = read(save(tmp_path, half))
    assert shown[0, 0].tolist() == RED
    assert shown[0, 3].tolist() == WHITE
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert (read(save(tmp_path, palette, "p.png", transparency=0)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_to_the_image_and_to_a_mask_drawn_on_stored_pixels(tmp_path, orientation):
    # A 40 x 20 picture, as shown, whose left half is red.
    shown = np.full((20, 40, 3), 255, np.uint8)
    shown[:, :20] = RED
    undo = UNDO[orientation]
    picture = Image.fromarray(shown)
    stored = picture if undo is None else picture.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, stored, "x.jpg", exif=exif, quality=100, subsampling=0)
    is_red = np.asarray(stored)[..., 1] < 128
    mask_path = save(tmp_path, Image.fromarray(np.where(is_red, 255, 0).astype(np.uint8)), "m.png")
    decoded = decode(path, mask_path, size=16, fit="squash")
    assert decoded.image[8, 2, 1] < 60
    assert decoded.image[8, 13, 1] > 200
    if orientation >= 5:  # only a turned frame tells which way the mask was drawn
        np.testing.assert_array_equal(decoded.mask[8], [255] * 8 + [0] * 8)


UNDO = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what makes of a picture as shown one as stored


def save_tiff(path: Path, values: np.ndarray, orientation: int, compression: str | None) -> Path:
    """A TIFF as cameras write it; 16-bit color, which Pillow cannot write, by hand."""
    if values.ndim == 2 or values.dtype == np.uint8:
        Image.fromarray(values).save(path, tiffinfo={0x0112: orientation}, compression=compression)
        return path
    height, width, n = values.shape
    data, place = values.astype("<u2").tobytes(), 8 + 2 + 12 * 10 + 4
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, n, place), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, place + 2 * n), (274, 3, 1, orientation), (277, 3, 1, n), (278, 4, 1, height)]
    tags += [(279, 4, 1, len(data))]
    head = b"II*\0" + struct.pack("<LH", 8, len(tags)) + b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    path.write_bytes(head + struct.pack(f"<L{n}H", 0, *[16] * n) + data)
    return path


def test_a_big_tiff_of_sixteen_bit_color_is_read_whichever_way_it_lies(tmp_path):
    values = np.random.default_rng(1).integers(0, 65536, (6, 6, 3)).astype(np.uint16)
    data = save_tiff(tmp_path / "x.tif", values, 1, None).read_bytes()
    n = struct.unpack_from("<H", data, 8)[0]
    tags = [struct.unpack_from("<HHLL", data, 10 + 12 * i) for i in range(n)]
    place = 16 + 8 + 20 * n + 8
    for orientation in (1, 6):
        moved = {258: struct.unpack("<Q", struct.pack("<4H", 16, 16, 16, 0))[0], 273: place, 274: orientation}
        entries = b"".join(
            struct.pack("<HHQQ", tag, kind, count, moved.get(tag, value)) for tag, kind, count, value in tags
        )
        head = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, n)
        (tmp_path / "big.tif").write_bytes(head + entries + bytes(8) + values.astype("<u2").tobytes())
        found = decode(tmp_path / "big.tif", None, size=6, fit="squash")
        shown = np.rot90(values, -1) if orientation == 6 else values
        assert np.abs(found.image.astype(int) - shown / 257).max() <= (1 if orientation == 6 else 0.51)


@pytest.mark.parametrize("kind", ["gray", "color", "packed gray", "gray 16", "color 16", "float"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once_as_pillow_turns_it_while_decoding(tmp_path, orientation, kind):
    rng = np.random.default_rng(0)
    shape = (6, 10, 3) if "color" in kind else (6, 10)
    shown = rng.integers(0, 256, shape).astype(np.uint8)
    channels = [shown] if shown.ndim == 2 else list(shown.transpose(2, 0, 1))
    undo = UNDO[orientation]
    turned = [Image.fromarray(c) if undo is None else Image.fromarray(c).transpose(undo) for c in channels]
    stored = np.stack([np.asarray(c) for c in turned], axis=-1).squeeze()
    wide = {"gray 16": lambda v: v.astype(np.uint16) * 257, "color 16": lambda v: v.astype(np.uint16) * 257}
    values = wide.get(kind, lambda v: v)(stored) if kind != "float" else (stored / 255).astype(np.float32)
    path = save_tiff(tmp_path / "x.tif", values, orientation, "tiff_lzw" if "packed" in kind else None)
    drawn = Image.fromarray(np.where(stored if stored.ndim == 2 else stored[..., 0], 255, 0).astype(np.uint8))
    mask = save_tiff(tmp_path / "m.tif", np.asarray(drawn), orientation, None)
    whole = shown if shown.ndim == 3 else np.stack([shown] * 3, axis=-1)
    expected = np.asarray(Image.fromarray(whole).resize((16, 16), Image.Resampling.BILINEAR))
    for source in (path, path.read_bytes()):
        found = decode(source, mask, size=16, fit="squash")
        np.testing.assert_array_equal(found.image, expected)
        assert (found.facts.width, found.facts.height) == (10, 6)
        assert found.facts.exif.orientation == orientation
    small = Image.fromarray(np.where(whole[..., 0], 255, 0).astype(np.uint8))
    np.testing.assert_array_equal(found.mask, np.asarray(small.resize((16, 16), Image.Resampling.NEAREST)))
    if orientation >= 5:  # only a turned frame tells which way the mask was drawn
        plain = decode(path, save(tmp_path, drawn, "m.png"), size=16, fit="squash")
        np.testing.assert_array_equal(plain.mask, found.mask)


def striped(width: int, height: int) -> Image.Image:
    """Left third red, middle green, right blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for channel in range(3):
        pixels[:, channel * width // 3 : (channel + 1) * width // 3, channel] = 255
    return Image.fromarray(pixels)


def test_crop_takes_the_center_squash_everything_pad_repeats_the_border(tmp_path):
    path = save(tmp_path, striped(30, 10))
    assert (read(path, 10, "crop")[..., 1] == 255).all()
    squashed = read(path, 9, "squash")
    assert [int(squashed[4, x].argmax()) for x in (1, 4, 7)] == [0, 1, 2]
    padded = read(path, 30, "pad")
    assert (padded[0] == padded[15]).all()
    assert padded.max(axis=2).min() > 0  # no black frame


def test_masks_follow_the_image_and_stay_binary(tmp_path):
    path = save(tmp_path, striped(30, 10))
    mask = save(
        tmp_path, Image.fromarray((np.asarray(striped(30, 10))[..., 1] > 0).astype(np.uint8)), "m.png"
    )
    for fit, share in (("crop", 1.0), ("squash", 1 / 3), ("pad", 1 / 9)):
        drawn = decode(path, mask, size=18, fit=fit).mask
        assert set(np.unique(drawn)) <= {0, 255}
        assert abs((drawn > 0).mean() - share) < 0.03


def test_masks_of_any_coding(tmp_path):
    image = save(tmp_path, Image.new("RGB", (4, 4)))
    half = np.array([[0, 0, 1, 1]] * 4)
    palette = Image.fromarray(half.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 40, 0, 0])  # as in VOC: dark red means "object"
    codings = [
        Image.fromarray(half.astype(np.uint8)),
        Image.fromarray((half * 255).astype(np.uint8)),
        Image.fromarray((half * 65535).astype(np.uint16)),
        Image.fromarray((half * 4095).astype(np.uint16)),
        Image.fromarray(half.astype(bool)),
        palette,
    ]
    for i, coding in enumerate(codings):
        mask = save(tmp_path, coding, f"m{i}.png")
        np.testing.assert_array_equal(decode(image, mask, size=4, fit="crop").mask, half * 255)
    np.testing.assert_array_equal(decode(image, half.astype(bool), size=4, fit="crop").mask, half * 255)


def test_a_mask_of_floats_says_how_opaque_an_object_is(tmp_path):
    image = save(tmp_path, Image.new("RGB", (8, 8)))
    opacity = np.zeros((8, 8))
    opacity[2:6, 2:6], opacity[3:5, 3:5] = 0.2, 0.7
    drawn = decode(image, opacity, size=8, fit="crop").mask
    np.testing.assert_allclose(opacity_of(drawn), opacity, atol=0.5 / 127)
    np.testing.assert_array_equal(drawn > FOREGROUND, opacity == 0.7)
    smaller = decode(image, opacity.astype(np.float32), size=4, fit="crop").mask
    by_four = opacity.reshape(4, 2, 4, 2).mean((1, 3))
    np.testing.assert_allclose(opacity_of(smaller).mean(), by_four.mean(), atol=0.02)
    plain = decode(image, (opacity > 0).astype(float), size=8, fit="crop").mask
    np.testing.assert_array_equal(plain, np.where(opacity > 0, 255, 0))
    assert not decode(image, np.zeros((8, 8)), size=8, fit="crop").mask.any()
    faint = np.random.default_rng(0).random((8, 8)) * 1e-3
    assert not (decode(image, faint, size=8, fit="crop").mask > FOREGROUND).any(), "no object"
    rounded = decode(image, opacity / 0.7 * (1 + 1e-7) - 1e-9, size=8, fit="crop").mask
    assert rounded.max() == 255


@pytest.mark.parametrize("wrong", [1.5, -0.1, 255.0])
def test_opacities_are_shares(tmp_path, wrong):
    image = save(tmp_path, Image.new("RGB", (4, 4)))
    with pytest.raises(InputError, match=r"expected \[0, 1\]. Give integers"):
        decode(image, np.full((4, 4), wrong), size=4, fit="crop")


def test_opacities_are_numbers(tmp_path):
    image = save(tmp_path, Image.new("RGB", (4, 4)))
    with pytest.raises(InputError, match="holds NaN"):
        decode(image, np.full((4, 4), np.nan), size=4, fit="crop")


def test_mask_of_other_proportions_is_another_image(tmp_path):
    image = save(tmp_path, Image.new("RGB", (8, 8)))
    mask = save(tmp_path, Image.new("L", (8, 12)), "m.png")
    with pytest.raises(UnreadableError, match="8 x 12, the image 8 x 8"):
        decode(image, mask, size=4, fit="crop")


def test_large_jpegs_are_decoded_small_with_the_same_result(tmp_path):
    pixels = np.kron(
        np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8), np.ones((128, 128, 1))
    )
    path = save(tmp_path, Image.fromarray(pixels.astype(np.uint8)), "x.jpg", quality=95)
    exact = np.asarray(Image.open(path).resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read(path, 16).astype(int) - exact).mean() < 2


@pytest.mark.parametrize("keep", [0, 5, 300])
@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "tif", "webp"])
def test_truncated_files_are_unreadable(tmp_path, kind, keep):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path, Image.fromarray(noise), f"x.{kind}")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableError):
        read(path)


def test_missing_and_oversized_files(tmp_path, monkeypatch):
    with pytest.raises(UnreadableError, match="does not exist"):
        read(tmp_path / "none.png")
    path = save(tmp_path, Image.new("RGB", (20, 20)))
    monkeypatch.setattr(module, "MAX_PIXELS", 300)
    with pytest.raises(UnreadableError, match="20 x 20 pixels"):
        read(path)


def test_arrays_pass_unchanged_and_wrong_ones_are_the_loaders_mistake():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(pixels, None, size=4, fit="crop").image, pixels)
    assert decode(pixels, None, size=2, fit="crop").image.shape == (2, 2, 3)
    for wrong in (pixels.astype(np.float32), pixels[..., 0], np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(InputError, match="expected h x w x 3"):
            decode(wrong, None, size=4, fit="crop")
    with pytest.raises(InputError, match="mask array"):
        decode(pixels, pixels, size=4, fit="crop")
