"""The words of conditions that may hold of an image: what follows "images", where they hold and where not.

`{}` is a value as it is written, or a share such as "fifth".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import MappingProxyType

from pipeline.core.words import count, number

SHARES = {0.1: "tenth", 0.2: "fifth", 1 / 3: "third", 0.5: "half"}
_DAY = 86_400

# image properties (`artifacts.hygiene_tables.PROPERTIES`): the lowest and the highest share
RANKS = MappingProxyType(
    {
        "lightness": ("among the darkest {}", "among the brightest {}"),
        "contrast": ("among the {} with the least contrast", "among the {} with the most contrast"),
        "chroma": ("among the grayest {}", "among the most colorful {}"),
        "green_red": ("among the greenest {}", "among the reddest {}"),
        "blue_yellow": ("among the bluest {}", "among the yellowest {}"),
        "border_lightness": (
            "among the {} with the darkest border",
            "among the {} with the brightest border",
        ),
        "sharpness": ("among the blurriest {}", "among the sharpest {}"),
        "noise": ("among the {} with the least noise", "among the {} with the most noise"),
        "edges": ("among the {} with the fewest edges", "among the {} with the most edges"),
        "object_size": ("among the {} with the smallest object", "among the {} with the largest object"),
    }
)
# file facts (`artifacts.facts.FACT_COLUMNS`)
TURNS = MappingProxyType({"order": ("in the first {} of the table", "in the last {} of the table")})
WORDS = MappingProxyType(
    {
        "camera": ("from camera {}", "not from camera {}"),
        "format": ("in {} files", "not in {} files"),
        "mode": ("of color mode {}", "not of color mode {}"),
        "subsampling": ("with chroma subsampling {}", "without chroma subsampling {}"),
        "exif_software": ("made with software {}", "not made with software {}"),
    }
)
FLAGS = MappingProxyType(
    {
        "progressive": ("in progressive JPEG files", "not in progressive JPEG files"),
        "has_exif": ("with EXIF", "without EXIF"),
        "has_gps": ("with a position in EXIF", "without a position in EXIF"),
        "has_icc": ("with a color profile", "without a color profile"),
        "has_alpha": ("with transparency", "without transparency"),
    }
)
EQUAL = MappingProxyType(  # a number of few values
    {
        "width": ("{} px wide", "not {} px wide"),
        "height": ("{} px high", "not {} px high"),
        "bit_depth": ("of {} bits a channel", "not of {} bits a channel"),
        "jpeg_quality": ("of JPEG quality {}", "not of JPEG quality {}"),
        "exif_orientation": ("with EXIF orientation {}", "not with EXIF orientation {}"),
        "n_frames": ("with frames: {}", "not with frames: {}"),
    }
)
THRESHOLDS = MappingProxyType(  # below, and from there on
    {
        "width": ("less than {} px wide", "at least {} px wide"),
        "height": ("less than {} px high", "at least {} px high"),
        "bytes": ("in files under {}", "in files of {} or more"),
        "jpeg_quality": ("of JPEG quality under {}", "of JPEG quality {} or more"),
        "exif_date": ("taken before {}", "taken on {} or later"),
        "name_number": ("with a number under {} in the file name", "with {} or more in the file name"),
        "modified": ("in files saved before {}", "in files saved on {} or later"),
    }
)
CUE = ("of which {} alone names the class", "of which {} alone names another class")
TOKEN = ("with {} in the names of file and folders", "without {} in the names of file and folders")


def plain_threshold(column: str, value: float) -> float:
    """The threshold as people would name it: bytes to two digits, times to the day."""
    if column == "bytes" and value > 0:
        step = 10.0 ** (math.floor(math.log10(value)) - 1)
        return round(value / step) * step
    if column in ("exif_date", "modified"):
        return math.floor(value / _DAY) * float(_DAY)
    return value


def as_written(column: str, value: float) -> str:
    """A value with its unit.

    >>> as_written("bytes", 12_000), as_written("width", 1024), as_written("exif_date", 86_400.0 * 365)
    ('12 kB', '1,024', '1971-01-01')
    """
    if column == "bytes":
        return _bytes(value)
    if column in ("exif_date", "modified"):
        return _date(value)
    return count(value) if float(value).is_integer() else number(value)


def _bytes(value: float) -> str:
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} bytes"


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):  # a camera may claim any time
        return f"{count(seconds)} s since 1970"
