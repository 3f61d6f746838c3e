"""Which images take part in changes of fore- and background, and whose background each one gets.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.types import BoolArray, Int64Array, UInt8Array
from pipeline.pixels.maps import FOREGROUND

MAX_FOREGROUND = 0.8  # larger masks leave too little background to fill the rest from
MIN_OWN_CLASS = 8  # donors of the image's own class; fewer would be used over and over


class Donors(NamedTuple):
    """For each image of `rows`, whose background it gets. All are positions in what was drawn from."""

    rows: Int64Array
    other: Int64Array  # another value of the attribute: the intervention
    same: Int64Array  # the same value, another image: the control


def usable_masks(masks_NHW: UInt8Array, rows: Int64Array, batch_size: int = 1024) -> BoolArray:
    """For each of `rows` whether its mask has a foreground and leaves enough background."""
    usable_N = np.zeros(len(rows), bool)
    for i in range(0, len(rows), batch_size):
        area = (masks_NHW[rows[i : i + batch_size]] > FOREGROUND).mean(axis=(1, 2))
        usable_N[i : i + batch_size] = (area > 0) & (area <= MAX_FOREGROUND)
    return usable_N


def draw_donors(labels_N: Int64Array, attributes_N: Int64Array, seed: int) -> Donors:
    """Draw for every image one donor with another attribute value and one with the same.

    Images without a donor of both kinds are left out. Where both kinds exist in the image's own
    class they are drawn there, so that a trace of the donor's object can never speak for another
    class.
    """
    rng = np.random.default_rng(seed)
    everyone = np.arange(len(labels_N))
    parts: list[Donors] = []
    for label, attribute in np.unique(np.stack([labels_N, attributes_N], axis=1), axis=0):
        is_class, is_value = labels_N == label, attributes_N == attribute
        rows = everyone[is_class & is_value]
        same, other = rows, everyone[is_class & ~is_value]
        if len(same) <= MIN_OWN_CLASS or len(other) < MIN_OWN_CLASS:
            same, other = everyone[is_value], everyone[~is_value]
        if len(same) < 2 or not len(other):
            continue
        parts.append(Donors(rows, rng.choice(other, len(rows)), _draw_others(rows, same, rng)))
    if not parts:
        empty = np.zeros(0, np.int64)
        return Donors(empty, empty, empty)
    joined = Donors(*(np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True)))
    order = np.argsort(joined.rows)
    return Donors(*(column[order] for column in joined))


def _draw_others(rows: Int64Array, pool: Int64Array, rng: np.random.Generator) -> Int64Array:
    """One member of the sorted `pool` for each of `rows`, never itself; all rows are in the pool."""
    place = np.searchsorted(pool, rows)
    drawn = rng.integers(len(pool) - 1, size=len(rows))
    others: Int64Array = pool[drawn + (drawn >= place)]
    return others
