"""One image's facts, read from the file that decoding has opened: of its header and beside its pixels."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from pipeline.data.facts.exif import UNKNOWN, ExifFacts, attempt
from pipeline.data.facts.jpeg import NO_JPEG, JpegFacts, read_jpeg

MAX_FRAMES = 1000
_MODE_BITS = {"1": 1, "I": 32, "F": 32}  # others have 8, or say so in their name
_STORED_BITS = re.compile(r";(\d{1,2})(?!\d)")  # in Pillow's names of what is stored: "P;4", "RGB;16B"
_PACKED_COLORS = ("BGR;15", "BGR;16")  # which count the bits of a pixel


@dataclass(frozen=True, slots=True)
class Header:
    """What is to be read before pixels are: Pillow forgets some of it then. None: not said."""

    format: str | None = None  # as Pillow calls it: "JPEG", "PNG", "MPO"
    mode: str | None = None  # as Pillow calls it: "RGB", "L", "P"
    bit_depth: int | None = None  # bits of each channel, or of a palette's index
    has_icc: bool | None = None
    has_alpha: bool | None = None
    jpeg: JpegFacts = NO_JPEG
    bytes: int | None = None
    modified: float | None = None  # s since 1970


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of one image without its pixels; None where there is no file or it cannot be read."""

    width: int  # px, as shown: after EXIF's turn
    height: int
    header: Header
    exif: ExifFacts = UNKNOWN
    n_frames: int | None = None  # at least so many, see `count_frames`


def read_header(opened: Image.Image) -> Header:
    """Facts of an image that has been opened and not been decoded."""
    found = attempt(_stat, opened)
    n_bytes = attempt(_count_bytes, opened) if found is None else found.st_size
    return Header(
        format=opened.format,
        mode=opened.mode,
        bit_depth=attempt(_bit_depth, opened),
        has_icc=bool(opened.info.get("icc_profile")),
        has_alpha=attempt(_has_alpha, opened),
        jpeg=attempt(read_jpeg, opened) or NO_JPEG,
        bytes=n_bytes,
        modified=None if found is None else found.st_mtime,
    )


def describe_array(image: npt.NDArray[np.generic]) -> FileFacts:
    """Facts of an image that is no file: h x w or h x w x C."""
    mode = "L" if image.ndim == 2 else "RGBA" if image.shape[2] == 4 else "RGB"
    bits = None if image.dtype == np.uint8 else 8 * image.dtype.itemsize
    return FileFacts(width=image.shape[1], height=image.shape[0], header=Header(mode=mode, bit_depth=bits))


def count_frames(opened: Image.Image, *, is_many: bool) -> int:
    """Frames as the header counts them, 1,000 at most; 2 where it does not and there is more than one.

    To count those of a GIF or TIFF is to go through the whole file. So the property that would do so is not
    asked, only what opening the file left behind.
    """
    known = vars(opened).get("n_frames")
    if isinstance(known, int) and known > 0:
        return min(known, MAX_FRAMES)
    return 2 if is_many else 1


def _stat(opened: Image.Image) -> os.stat_result:
    assert isinstance(opened, ImageFile)
    assert opened.fp is not None
    return os.fstat(opened.fp.fileno())


def _count_bytes(opened: Image.Image) -> int:
    """Of an image that lies in memory."""
    assert isinstance(opened, ImageFile)
    assert isinstance(opened.fp, io.BytesIO)
    return opened.fp.getbuffer().nbytes


def _has_alpha(opened: Image.Image) -> bool:
    return opened.has_transparency_data


def _bit_depth(opened: Image.Image) -> int | None:
    if isinstance(opened, TiffImageFile):
        return int(max(opened.tag_v2.get(BITSPERSAMPLE, (1,))))
    if isinstance(opened, JpegImageFile):
        return opened.bits
    if opened.format == "AVIF":  # 8, 10 or 12, all of which Pillow hands out as 8
        return None
    codec, _, _, arguments = next(iter(getattr(opened, "tile", ())), ("", None, 0, ""))
    if codec == "ppm":
        return int(arguments[1]).bit_length()  # of the largest value
    stored = str(arguments)
    if any(name in stored for name in _PACKED_COLORS):
        return 5
    found = _STORED_BITS.search(stored) or _STORED_BITS.search(opened.mode)
    return int(found[1]) if found else _MODE_BITS.get(opened.mode, 8)
