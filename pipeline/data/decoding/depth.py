"""Images beyond 8 bits: which of their values are shown as black and as white.

One range holds for a whole dataset: a range of each image's own would make a dark picture as bright as
a bright one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.core.types import UInt8Array
from pipeline.data.decoding.exif import forget_orientation, turn_values

Kind = Literal["integer", "float"]
Values = npt.NDArray[np.generic]
BIT_DEPTHS = (255, 1023, 4095, 16383, 65535)  # the largest values of 8, 10, 12, 14 and 16 bits
_FLOAT_TOPS = (1, 255)
_SIXTEEN_BIT_COLOR = re.compile(r"\b(RGB|RGBA|RGBX|LA);16")  # how Pillow calls what is stored
_NEARLY_BLACK = 16  # of 255 levels
_N_SAMPLED = 10_000  # pixels that say how bright an image is


@dataclass(frozen=True)
class Depth:
    """The values of one image beyond 8 bits."""

    kind: Kind
    high: float
    bright: float  # 99th percentile: single hot pixels make no image bright


@dataclass(frozen=True)
class Ranges:
    """The values shown as black and as white."""

    integer: tuple[float, float] = (0, 65535)
    float_: tuple[float, float] = (0, 1)
    is_given: bool = False  # by the user: what lies outside is black or white, not an error

    def of(self, kind: Kind) -> tuple[float, float]:
        return self.integer if kind == "integer" else self.float_


def first_ranges(setting: Literal["auto"] | tuple[float, float]) -> Ranges:
    """What `data.value_range` says; of "auto" what is tried before the values are known."""
    return Ranges() if setting == "auto" else Ranges(setting, setting, is_given=True)


def fit_ranges(tried: Ranges, depths: Sequence[Depth]) -> Ranges:
    """The narrowest usual ranges that hold every value of the dataset; what was given stays."""
    if tried.is_given:
        return tried
    tops = {
        kind: max((d.high for d in depths if d.kind == kind), default=None) for kind in ("integer", "float")
    }
    top_int, top_float = tops["integer"], tops["float"]
    return Ranges(
        tried.integer if top_int is None else (0, next(top for top in BIT_DEPTHS if top >= top_int)),
        tried.float_ if top_float is None else (0, next(top for top in _FLOAT_TOPS if top >= top_float)),
    )


def deep_values(opened: Image.Image, source: Path | bytes, orientation: int) -> Values | None:
    """The pixels of an opened image with more than 8 bits, h x w or h x w x (3 or 4); None for others.

    Pillow reads gray ones; of 16-bit color it keeps the upper 8 bits only, so OpenCV reads those.

    Args:
        source: the image's file, or what it holds.
        orientation: of a TIFF, which Pillow turns while it decodes; here it is turned as well.
    """
    if opened.mode.startswith("I") or opened.mode == "F":
        return np.asarray(opened)
    if not _is_deep_color(opened):
        return None
    data = source if isinstance(source, bytes) else source.read_bytes()
    is_turned = opened.format == "TIFF" and orientation != 1
    # of four of the eight orientations OpenCV fails
    plain = forget_orientation(data) if is_turned else data
    if plain is None:
        return None
    read = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if read is None or read.dtype != np.uint16 or read.ndim != 3:
        return None
    code = cv2.COLOR_BGRA2RGBA if read.shape[2] == 4 else cv2.COLOR_BGR2RGB
    values = np.asarray(cv2.cvtColor(read, code))
    return turn_values(values, orientation) if is_turned else values


def _is_deep_color(opened: Image.Image) -> bool:
    for codec, _, _, arguments in getattr(opened, "tile", ()):
        if codec == "ppm":
            return opened.mode == "RGB" and arguments[1] > BIT_DEPTHS[0]
        return bool(_SIXTEEN_BIT_COLOR.search(str(arguments)))
    return False


def measure(values: Values) -> Depth:
    """What `fit_ranges` needs to know of an image's values, transparency aside."""
    shown = values[..., :3] if values.ndim == 3 else values
    sample = shown.ravel()[:: max(1, shown.size // _N_SAMPLED)].astype(np.float64)
    kind: Kind = "float" if np.issubdtype(values.dtype, np.floating) else "integer"
    return Depth(kind, float(shown.max()), float(np.percentile(sample, 99)))


def to_eight_bit(values: Values, ranges: Ranges) -> Image.Image:
    """Values scaled to 8 bits, as RGB; transparent ones laid on white.

    Raises:
        ValueError: without a range that is given, values that have no agreed brightness.
    """
    kind: Kind = "float" if np.issubdtype(values.dtype, np.floating) else "integer"
    low, high = float(values.min()), float(values.max())
    most = (BIT_DEPTHS if kind == "integer" else _FLOAT_TOPS)[-1]
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("some pixel values are not finite numbers")
    if not ranges.is_given and (low < 0 or high > most):
        raise ValueError(
            f"{kind} pixel values from {low:g} to {high:g}; without `data.value_range: [black, white]`, 0 to "
            f"{most} is what can be shown"
        )
    black, white = ranges.of(kind)
    levels = _scale(values, black, white)
    if values.ndim == 3 and values.shape[2] == 4:
        levels[..., 3] = _scale(values[..., 3], 0, BIT_DEPTHS[-1])
        on_white = Image.new("RGBA", (values.shape[1], values.shape[0]), (255, 255, 255, 255))
        return Image.alpha_composite(on_white, Image.fromarray(levels)).convert("RGB")
    return Image.fromarray(levels).convert("RGB")


def _scale(values: Values, black: float, white: float) -> UInt8Array:
    shares = (values.astype(np.float64) - black) / (white - black)
    return np.round(shares.clip(0, 1) * 255).astype(np.uint8)


def note_depths(depths: Sequence[Depth], ranges: Ranges) -> list[str]:
    """In words: what was shown as black and white, and whether that leaves images nearly black."""
    notes = []
    for kind in ("integer", "float"):
        found = [depth for depth in depths if depth.kind == kind]
        if not found:
            continue
        (black, white), top = ranges.of(kind), max(depth.high for depth in found)
        key = f"data.value_range: {f'[{black:g}, {white:g}]' if ranges.is_given else 'auto'}"
        notes.append(
            f"{len(found):,} images have more than 8 bits ({kind} values up to {top:,g}): {black:,g} is "
            f"shown as black and {white:,g} as white, in all of them ({key})"
        )
        limit = black + (white - black) * _NEARLY_BLACK / 255
        dark = [depth.bright for depth in found if black < depth.bright <= limit]
        if dark:
            most = f"set data.value_range: [{black:g}, {max(dark):g}]"
            remedy = most if 2 * len(dark) >= len(found) else "store all images in the same range"
            notes.append(
                f"{len(dark):,} of them come out nearly black: their values hardly exceed {max(dark):,g}. If "
                f"they are meant to be brighter, {remedy}"
            )
    return notes
