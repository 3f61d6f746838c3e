"""How a JPEG was encoded: quality, quantization tables, subsampling of color, order of its scans."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from pipeline.core.types import Int64Array

# The luminance table that libjpeg scales, row by row (ITU-T T.81, table K.1).
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_LARGEST = 255  # of a table's entries in 8 bits
_SUBSAMPLING = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}


@dataclass(frozen=True, slots=True)
class JpegFacts:
    """Of a file that is no JPEG, all None."""

    quality: int | None = None  # 1 to 100 as libjpeg counts, estimated
    tables: str | None = None  # 8 hex digits, the same for the same quantization tables
    subsampling: str | None = None  # "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "grey" or "other"
    is_progressive: bool | None = None


NO_JPEG = JpegFacts()


def read_jpeg(opened: Image.Image) -> JpegFacts:
    """Facts of an opened image, from its header alone."""
    if not isinstance(opened, JpegImageFile):
        return NO_JPEG
    tables = tuple((number, tuple(table)) for number, table in opened.quantization.items())
    return _describe(tables, tuple(opened.layer), bool(opened.info.get("progressive", False)))


@lru_cache(maxsize=1024)  # most files of a dataset come from few encoders
def _describe(
    numbered: tuple[tuple[int, tuple[int, ...]], ...],
    components: tuple[tuple[int, int, int, int], ...],
    is_progressive: bool,
) -> JpegFacts:
    """Args: tables by number; of each component number, sampling across and down, and table."""
    found = dict(numbered)
    tables = [found.get(component[3], ()) for component in components]
    is_whole = bool(tables) and all(len(table) == len(_LUMINANCE) for table in tables)
    return JpegFacts(
        estimate_quality(tables[0]) if is_whole else None,
        _identify(tables) if is_whole else None,
        name_subsampling([component[1:3] for component in components]),
        is_progressive,
    )


def estimate_quality(luminance: Sequence[int]) -> int | None:
    """The quality from 1 to 100 whose table is the given one, or differs least from it in all.

    libjpeg (`jpeg_quality_scaling` and `jpeg_add_quant_table` in jcparam.c) multiplies one table by a scale
    that quality gives. Other encoders have tables of their own: theirs is the quality of similar size.

    Args:
        luminance: 64 entries, row by row.

    Returns:
        None where entries are not positive, as in a damaged file.
    """
    if min(luminance) < 1:
        return None
    differences = np.abs(_scaled_tables() - np.minimum(luminance, _LARGEST)).sum(axis=1)
    return int(differences.argmin()) + 1


@cache
def _scaled_tables() -> Int64Array:
    """The tables of the qualities 1 to 100, a row each."""
    return np.array([_scaled_table(quality) for quality in range(1, 101)], np.int64)


def _scaled_table(quality: int) -> list[int]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(_LARGEST, max(1, (entry * scale + 50) // 100)) for entry in _LUMINANCE]


def _identify(tables: Sequence[Sequence[int]]) -> str:
    """The same for the same tables of the components, whatever number the file gives them."""
    text = ";".join(",".join(map(str, table)) for table in tables)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def name_subsampling(sampling: Sequence[tuple[int, int]]) -> str | None:
    """How much coarser color is stored than luminance.

    Args:
        sampling: horizontal and vertical factor of each component, the first of which is luminance.
    """
    if not sampling or min(min(pair) for pair in sampling) < 1:
        return None
    if len(sampling) == 1:
        return "grey"
    (across, down), colors = sampling[0], set(sampling[1:3])
    color_across, color_down = colors.pop()
    if colors or across % color_across or down % color_down:
        return "other"
    return _SUBSAMPLING.get((across // color_across, down // color_down), "other")
