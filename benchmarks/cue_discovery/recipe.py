"""The one recipe by which every file is written, so that a planted cue is the only thing that differs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from pipeline.core.types import UInt8Array

Format = Literal["bmp", "png", "jpeg", "webp"]
SUFFIXES: dict[Format, str] = {"bmp": ".bmp", "png": ".png", "jpeg": ".jpg", "webp": ".webp"}
SIDE = 64  # of a picture before anything is planted
WRITTEN = 1_700_000_000  # seconds since 1970: when every file was changed last
_MAKE, _MODEL = 0x010F, 0x0110  # EXIF tags


@dataclass(frozen=True)
class Picture:
    """What a file will hold, and how.

    BMP is the rule: its length depends on width and height alone, while every compressed format would turn a
    cue in the pixels into one in the length of the file.
    """

    pixels: UInt8Array  # H W 3
    stem: str
    format: Format = "bmp"
    quality: int = 90  # of a JPEG
    camera: tuple[str, str] | None = None  # make and model; of a JPEG
    written: int = WRITTEN

    @property
    def name(self) -> str:
        return self.stem + SUFFIXES[self.format]


def fit(pixels: UInt8Array, width: int = SIDE, height: int = SIDE) -> UInt8Array:
    """The image at another size; as it is where it has that size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height < pixels.shape[0] or width < pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)


def write_picture(picture: Picture, folder: Path) -> None:
    """The file, with the time that the picture says instead of that of the clock."""
    path = folder / picture.name
    Image.fromarray(picture.pixels).save(path, picture.format.upper(), **_options(picture))
    os.utime(path, (picture.written, picture.written))


def _options(picture: Picture) -> dict[str, Any]:
    if picture.format == "webp":
        return {"lossless": True, "method": 0}  # the default takes six times as long
    if picture.format != "jpeg":
        return {}
    options: dict[str, Any] = {"quality": picture.quality, "subsampling": 0}
    if picture.camera is not None:
        exif = Image.Exif()
        exif[_MAKE], exif[_MODEL] = picture.camera
        options["exif"] = exif
    return options
