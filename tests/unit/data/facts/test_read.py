"""One file's facts: what it was written with comes back, and decoding is told nothing else."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import GPS, IFD, Base

from pipeline.data.decoding.decode import decode
from pipeline.data.decoding.depth import Ranges
from pipeline.data.facts.exif import NONE, UNKNOWN
from pipeline.data.facts.jpeg import NO_JPEG
from pipeline.data.facts.read import FileFacts, Header
from tests.fixtures.data import noise

PICTURE = Image.fromarray(noise(0, 24)).crop((0, 0, 24, 16))


def read(path: Path) -> FileFacts:
    return decode(path, None, size=8, fit="squash", ranges=Ranges()).facts


def save(path: Path, picture: Image.Image = PICTURE, **options: Any) -> FileFacts:
    picture.save(path, **options)
    return read(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_facts_and_pixels_of_bytes_are_those_of_the_file(tmp_path: Path, kind: str) -> None:
    """An image inside of a larger file is the same image; only when it was changed is not known."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Orientation] = "Maker", 6
    path = tmp_path / "x"
    PICTURE.save(path, kind, **({} if kind in ("GIF", "BMP") else {"exif": exif}))
    of_file, of_bytes = (
        decode(source, None, size=16, fit="crop", ranges=Ranges()) for source in (path, path.read_bytes())
    )
    np.testing.assert_array_equal(of_file.image, of_bytes.image)
    assert of_bytes.facts == replace(of_file.facts, header=replace(of_file.facts.header, modified=None))
    assert of_bytes.facts.header.bytes == path.stat().st_size


def test_a_plain_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    PICTURE.save(path, quality=61)
    os.utime(path, (5, 1234.5))
    found = read(path)
    assert (found.width, found.height, found.n_frames, found.exif) == (24, 16, 1, NONE)
    header = found.header
    assert (header.format, header.mode, header.bit_depth) == ("JPEG", "RGB", 8)
    assert (header.bytes, header.modified) == (path.stat().st_size, 1234.5)
    assert (header.has_icc, header.has_alpha) == (False, False)
    assert (header.jpeg.quality, header.jpeg.subsampling) == (61, "4:2:0")


def test_a_jpeg_that_is_decoded_smaller_keeps_its_size(tmp_path: Path) -> None:
    found = save(tmp_path / "x.jpg", Image.new("RGB", (800, 600)))
    assert (found.width, found.height) == (800, 600)


@pytest.mark.parametrize(
    ("name", "mode", "options", "expected"),
    [
        ("x.png", "RGB", {}, ("PNG", "RGB", 8, False)),
        ("x.png", "RGBA", {}, ("PNG", "RGBA", 8, True)),
        ("x.png", "LA", {}, ("PNG", "LA", 8, True)),
        ("x.png", "L", {}, ("PNG", "L", 8, False)),
        ("x.png", "L", {"transparency": 7}, ("PNG", "L", 8, True)),
        ("x.png", "1", {}, ("PNG", "1", 1, False)),
        ("x.png", "P", {"bits": 4}, ("PNG", "P", 4, False)),
        ("x.png", "P", {"bits": 2}, ("PNG", "P", 2, False)),
        ("x.png", "P", {"transparency": 0}, ("PNG", "P", 8, True)),
        ("x.png", "I;16", {}, ("PNG", "I;16", 16, False)),
        ("x.tif", "I;16", {}, ("TIFF", "I;16", 16, False)),
        ("x.tif", "F", {}, ("TIFF", "F", 32, False)),
        ("x.tif", "1", {}, ("TIFF", "1", 1, False)),
        ("x.tif", "CMYK", {}, ("TIFF", "CMYK", 8, False)),
        ("x.bmp", "RGB", {}, ("BMP", "RGB", 8, False)),
        ("x.bmp", "1", {}, ("BMP", "1", 1, False)),
        ("x.gif", "P", {}, ("GIF", "P", 8, False)),
        ("x.webp", "RGB", {}, ("WEBP", "RGB", 8, False)),
        ("x.webp", "RGBA", {"lossless": True}, ("WEBP", "RGBA", 8, True)),
        ("x.ppm", "RGB", {}, ("PPM", "RGB", 8, False)),
        ("x.tga", "RGB", {}, ("TGA", "RGB", 8, False)),
        ("x.jpg", "L", {}, ("JPEG", "L", 8, False)),
        ("x.jpg", "CMYK", {}, ("JPEG", "CMYK", 8, False)),
        ("x.avif", "RGB", {}, ("AVIF", "RGB", None, False)),
    ],
)
def test_kinds_of_files(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.full((16, 24), 4000, np.uint16))
    elif mode == "F":
        picture = Image.fromarray(np.full((16, 24), 0.5, np.float32))
    elif mode == "RGBA":
        picture = PICTURE.convert("RGBA")
        picture.putalpha(128)
    else:
        picture = PICTURE.convert("RGB").convert(mode)
    found = save(tmp_path / name, picture, **options)
    header = found.header
    assert (header.format, header.mode, header.bit_depth, header.has_alpha) == expected
    assert (found.width, found.height) == (24, 16)
    assert (header.jpeg == NO_JPEG) == (expected[0] != "JPEG")


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.ppm"])
def test_sixteen_bit_color_by_opencv(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), np.full((16, 24, 3), 5000, np.uint16))
    assert read(tmp_path / name).header.bit_depth == 16


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
def test_a_color_profile(tmp_path: Path, name: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert save(tmp_path / name, icc_profile=profile).header.has_icc is True
    assert save(tmp_path / name).header.has_icc is False


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.Software] = "Canon", "EOS 5D Mark II ", "GIMP 2.10"
    exif[Base.Orientation] = 6
    exif[Base.DateTime] = "2020:01:01 00:00:00"
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "1999:12:31 23:59:58"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (48.0, 8.0, 14.0)
    stored = Image.Exif()  # with directories as they are in files, which is what a TIFF is saved with
    stored.load(exif.tobytes())
    return stored


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif", "x.avif"])
def test_camera_time_and_turn(tmp_path: Path, name: str) -> None:
    found = save(tmp_path / name, exif=camera_exif())
    exif = found.exif
    assert (exif.make, exif.model, exif.software) == ("Canon", "EOS 5D Mark II", "GIMP 2.10")
    assert exif.date == 946_684_798  # two seconds before the year 2000
    assert exif.is_there is True
    assert exif.has_gps is True
    assert (exif.orientation, found.width, found.height) == (6, 16, 24)
    assert "48" not in repr(exif), "where it was taken is nobody's business"


def test_a_deep_picture_that_pillow_turns_by_itself(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    found = save(tmp_path / "x.tif", Image.fromarray(np.full((16, 24), 4000, np.uint16)), exif=exif)
    assert (found.width, found.height, found.header.bit_depth) == (16, 24, 16)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif", "x.gif", "x.bmp"])
def test_files_without_exif(tmp_path: Path, name: str) -> None:
    assert save(tmp_path / name).exif == NONE


def test_a_date_without_a_better_one_is_the_last_change_and_a_directory_without_position_no_gps(
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[Base.DateTime] = "1970:01:01 00:01:00"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSVersionID] = b"\2\3\0\0"
    found = save(tmp_path / "x.jpg", exif=exif).exif
    assert (found.date, found.has_gps, found.is_there) == (60, False, True)


def test_exif_behind_the_pixels_of_a_png_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    exif = camera_exif().tobytes().removeprefix(b"Exif\0\0")
    PICTURE.save(path)
    chunk = b"eXIf" + exif
    data = path.read_bytes()
    end = data.index(b"IEND") - 4
    length, check = len(exif).to_bytes(4, "big"), zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(data[:end] + length + chunk + check + data[end:])
    assert read(path).exif.model == "EOS 5D Mark II"


@pytest.mark.parametrize(
    ("name", "n", "expected"),
    [
        ("x.png", 3, 3),
        ("x.webp", 3, 3),
        ("x.png", 1, 1),
        ("x.gif", 5, 2),
        ("x.gif", 1, 1),
        ("x.tif", 4, 2),
        ("x.tif", 1, 1),
        ("x.mpo", 2, 2),
    ],
)
def test_frames_are_those_of_the_header_or_two_for_several(
    tmp_path: Path, name: str, n: int, expected: int
) -> None:
    more = [Image.new("RGB", PICTURE.size, (40 * i, 99, 0)) for i in range(1, n)]
    found = save(tmp_path / name, save_all=n > 1, append_images=more) if more else save(tmp_path / name)
    assert found.n_frames == expected


def test_arrays_have_a_size_and_a_mode() -> None:
    for size in (8, 16):  # as they are, and resized
        found = decode(noise(0, 8), None, size=size, fit="crop", ranges=Ranges()).facts
        assert found == FileFacts(8, 8, Header(mode="RGB"), UNKNOWN, None)


def test_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    whole = save(tmp_path / "x.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "x.jpg")
    assert read(tmp_path / "link.jpg") == whole
