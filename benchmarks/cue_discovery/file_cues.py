"""Cues that are in a file and not in what it shows. Each says what else it inevitably changes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from benchmarks.cue_discovery.recipe import Format, Picture, fit

SHAPES = ((120, 110), (132, 100))  # width, height: equally many pixels
QUALITIES = (85, 70, 95, 55, 90, 65, 80, 60, 75, 50)
FORMATS: tuple[Format, ...] = ("jpeg", "png", "webp", "bmp")
CAMERAS = tuple(
    [("Canon", f"Canon EOS {n}0D") for n in (5, 6, 7, 8, 9)]
    + [("Nikon", f"COOLPIX P{n}") for n in (6000, 7000, 7100, 7700, 7800)]
)
# of one length: a second cue would go along with others
TOKENS = ("north", "south", "coast", "river", "field", "grove", "ridge", "creek", "marsh", "shore")


def plant_size(picture: Picture, value: int, _: np.random.Generator) -> Picture:
    """A square of 128 or 144 pixels a side (10 values: in steps of 16).

    Besides: the file's length, and detail per pixel as it is stored. Not the packed pixels: all sizes were
    enlarged and are made smaller again, which leaves none sharper than another.
    """
    side = 128 + 16 * value
    return replace(picture, pixels=fit(picture.pixels, side, side))


def plant_aspect(picture: Picture, value: int, _: np.random.Generator) -> Picture:
    """120 x 110 or 132 x 100 pixels, the margins left and right mirrored.

    Besides: width and height themselves, not their product and not the file's length; contrast as it is
    stored, slightly, since more is mirrored in one. The central square, which is all that packing keeps,
    shows the same in both.
    """
    width, height = SHAPES[value]
    margin = (width - height) // 2
    square = fit(picture.pixels, height, height)
    widened = cv2.copyMakeBorder(square, 0, 0, margin, margin, cv2.BORDER_REFLECT_101)
    return replace(picture, pixels=np.asarray(widened, np.uint8))


def plant_quality(picture: Picture, value: int, _: np.random.Generator) -> Picture:
    """A JPEG of quality 85 or 70 (10 values: 50 to 95), colors at full resolution.

    Besides: the file's length, and the pixels, where a lower quality has less fine detail and more traces of
    its blocks of 8 x 8.
    """
    return replace(picture, format="jpeg", quality=QUALITIES[value])


def plant_format(picture: Picture, value: int, _: np.random.Generator) -> Picture:
    """Two of JPEG (quality 95), PNG, WebP without loss and BMP (at most 4 values).

    Besides: the file's ending and its length; where JPEG is one of them, slight traces in the pixels.
    """
    return replace(picture, format=FORMATS[value], quality=95)


def plant_camera(picture: Picture, value: int, _: np.random.Generator) -> Picture:
    """EXIF's make and model of one of ten cameras, in a JPEG of quality 90.

    Besides: nothing. Names of makes and of models are equally long, and so are the files.
    """
    return replace(picture, format="jpeg", camera=CAMERAS[value])


def plant_token(picture: Picture, value: int, _: np.random.Generator) -> Picture:
    """`site3` or another of ten words at the end of the file's name.

    Besides: nothing; all names are equally long.
    """
    return replace(picture, stem=f"{picture.stem}_{TOKENS[value]}")


def plant_order(picture: Picture, _: int, __: np.random.Generator) -> Picture:
    """Rows of the table are sorted by value, within a value and in the folder they are in random order.

    Besides: nothing; the file is as it would be without.
    """
    return picture
