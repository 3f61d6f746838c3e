"""Put an image's foreground on another image's background.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split, UInt8Array
from pipeline.explain.energy import FOREGROUND

MAX_FOREGROUND = 0.8  # larger masks leave too little background to fill the rest from
MIN_OWN_CLASS = 8  # donors of the image's own class; fewer would be used over and over
INPAINT_RADIUS = 3.0  # pixels


class Donors(NamedTuple):
    """For each image of `rows`, whose background it gets. All are positions in the split."""

    rows: Int64Array
    other: Int64Array  # another value of the attribute: the intervention
    same: Int64Array  # the same value, another image: the control


def draw_donors(test: Split, seed: int) -> Donors:
    """Draw for every usable image one donor with another attribute value and one with the same.

    Images with an empty or nearly full mask neither give nor take part, nor do those without a
    donor of both kinds. Where both kinds exist in the image's own class they are drawn there, so
    that a trace of the donor's object can never speak for another class.
    """
    rng = np.random.default_rng(seed)
    area_N = _mask_areas(test)
    usable = np.flatnonzero((area_N > 0) & (area_N <= MAX_FOREGROUND))
    labels, attributes = test.labels[usable], test.attributes[usable]
    parts: list[Donors] = []
    for label, attribute in np.unique(np.stack([labels, attributes], axis=1), axis=0):
        is_class, is_value = labels == label, attributes == attribute
        rows = usable[is_class & is_value]
        same, other = rows, usable[is_class & ~is_value]
        if len(same) <= MIN_OWN_CLASS or len(other) < MIN_OWN_CLASS:
            same, other = usable[is_value], usable[~is_value]
        if len(same) < 2 or not len(other):
            continue
        parts.append(Donors(rows, rng.choice(other, len(rows)), _draw_others(rows, same, rng)))
    if not parts:
        empty = np.zeros(0, np.int64)
        return Donors(empty, empty, empty)
    joined = Donors(*(np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True)))
    order = np.argsort(joined.rows)
    return Donors(*(column[order] for column in joined))


def swap_backgrounds(test: Split, rows: Int64Array, donors: Int64Array) -> UInt8Array:
    """The images `rows` with the backgrounds of `donors`, n x H x W x 3.

    The mask is a hard edge: every foreground pixel keeps its value. The donor's own object is
    filled in from around it.
    """
    if test.masks is None:
        raise ValueError("backgrounds can be swapped only where masks are known")
    swapped: UInt8Array = np.empty((len(rows), *test.images.shape[1:]), np.uint8)
    for i, (row, donor) in enumerate(zip(rows, donors, strict=True)):
        background = fill_foreground(test.images[donor], test.masks[donor])
        is_foreground = test.masks[row] > FOREGROUND
        swapped[i] = np.where(is_foreground[:, :, None], test.images[row], background)
    return swapped


def fill_foreground(image_HW3: UInt8Array, mask_HW: UInt8Array) -> UInt8Array:
    """The image with its foreground painted over from the background around it.

    The mask is widened first: resized masks stop short of the object's rim.

    Source: Telea 2004 (An image inpainting technique based on the fast marching method).
    """
    rim = 2 * max(1, image_HW3.shape[0] // 64) + 1
    hole = cv2.dilate((mask_HW > FOREGROUND).astype(np.uint8), np.ones((rim, rim), np.uint8))
    filled = cv2.inpaint(np.ascontiguousarray(image_HW3), hole, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled, np.uint8)


def _mask_areas(test: Split, batch_size: int = 1024) -> Float64Array:
    """Share of foreground per image; 0 without masks."""
    area_N = np.zeros(len(test))
    if test.masks is not None:
        for i in range(0, len(test), batch_size):
            is_foreground: BoolArray = test.masks[i : i + batch_size] > FOREGROUND
            area_N[i : i + batch_size] = is_foreground.mean(axis=(1, 2))
    return area_N


def _draw_others(rows: Int64Array, pool: Int64Array, rng: np.random.Generator) -> Int64Array:
    """One member of the sorted `pool` for each of `rows`, never itself; all rows are in the pool."""
    place = np.searchsorted(pool, rows)
    drawn = rng.integers(len(pool) - 1, size=len(rows))
    others: Int64Array = pool[drawn + (drawn >= place)]
    return others
