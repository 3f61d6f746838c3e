"""Means of parts of an image moved to another image's.

Shape legend: N images, H height, W width, P pixels, Q cells.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, Int64Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair, add, pixels
from pipeline.pixels.maps import FOREGROUND

FRAME_SHARE = 1 / 8  # of the side: how deep a frame may be
STRIP_SHARE = 1 / 16  # of the side: how deep a strip along the edges is
RIM_SHARE = 1 / 32  # of the side: how far a rim may reach on either side of an object's edge


def exchange_frame(pair: Pair) -> UInt8Array:
    """The donor's mean color at each distance from the image's border, near the border."""
    height, width = pair.images_NHW3.shape[1:3]
    y_H1, x_W = np.arange(height)[:, None], np.arange(width)
    distance_HW = np.minimum(np.minimum(y_H1, height - 1 - y_H1), np.minimum(x_W, width - 1 - x_W))
    depth = max(2, round(FRAME_SHARE * min(height, width)))
    rings_NHW = np.broadcast_to(np.minimum(distance_HW, depth), pair.images_NHW3.shape[:3])
    return shift_by_cells(pair, rings_NHW, rings_NHW, depth)


def exchange_strip(pair: Pair) -> UInt8Array:
    """How much lighter or darker than what is inside of it the donor's strip is, side by side, line by line.

    Pasted pixels carried half as much: whether a strip is there shows in the step to what is inside.
    """
    n, height, width = pair.images_NHW3.shape[:3]
    depth = max(1, round(STRIP_SHARE * min(height, width)))
    lines_HW = _lines(height, width, 2 * depth)
    steps = []
    for images in (pair.donors_NHW3, pair.images_NHW3):
        lines_NP = np.broadcast_to(lines_HW.reshape(1, -1), (n, height * width))
        sums_NQ4 = cell_sums(pixels(images), lines_NP, 8 * depth + 1)[:, :-1]
        means = (sums_NQ4[..., :3] / np.maximum(sums_NQ4[..., 3:], 1)).reshape(n, 4, 2 * depth, 3)
        steps.append(means - means[:, :, depth:].mean(axis=2, keepdims=True))
    shift = steps[0] - steps[1]
    shift[:, :, depth:] = 0
    shift_NQ3 = np.concatenate([shift.reshape(n, -1, 3), np.zeros((n, 1, 3), np.float32)], axis=1)
    return add(pair.images_NHW3, shift_NQ3[:, lines_HW.ravel()])


def _lines(height: int, width: int, depth: int) -> Int64Array:
    """Side of the frame and distance to it as an index, H x W; 4 x depth where it is farther."""
    y_H1, x_W = np.arange(height)[:, None], np.arange(width)
    distances = np.stack(np.broadcast_arrays(y_H1, height - 1 - y_H1, x_W, width - 1 - x_W))
    side_HW, distance_HW = distances.argmin(axis=0), distances.min(axis=0)
    return np.where(distance_HW < depth, side_HW * depth + distance_HW, 4 * depth).astype(np.int64)


def exchange_rim(pair: Pair) -> UInt8Array:
    """The donor's mean color at each distance from the object's edge, near the edge."""
    assert pair.masks_NHW is not None
    assert pair.donor_masks_NHW is not None
    reach = max(2, round(RIM_SHARE * pair.masks_NHW.shape[1]))
    cells, donor_cells = (_rim_cells(m, reach) for m in (pair.masks_NHW, pair.donor_masks_NHW))
    return shift_by_cells(pair, cells, donor_cells, 2 * reach)


def exchange_object_color(pair: Pair) -> UInt8Array:
    """The donor's mean color inside its object's mask."""
    assert pair.masks_NHW is not None
    assert pair.donor_masks_NHW is not None
    cells = [(masks <= FOREGROUND).astype(np.int64) for masks in (pair.masks_NHW, pair.donor_masks_NHW)]
    return shift_by_cells(pair, cells[0], cells[1], 1)


def shift_by_cells(pair: Pair, own_NHW: Int64Array, donor_NHW: Int64Array, n_cells: int) -> UInt8Array:
    """Add donor's minus own mean color of each cell 0 .. n_cells - 1; the last index stays as it is."""
    n = len(pair.images_NHW3)
    means = []
    for images, cells in ((pair.donors_NHW3, donor_NHW), (pair.images_NHW3, own_NHW)):
        sums_NQ4 = cell_sums(pixels(images), cells.reshape(n, -1), n_cells + 1)
        counts_NQ1 = sums_NQ4[..., 3:]
        means.append(np.where(counts_NQ1 > 0, sums_NQ4[..., :3] / np.maximum(counts_NQ1, 1), np.nan))
    shift_NQ3 = np.nan_to_num(means[0] - means[1])  # 0 where either has no such pixels
    shift_NQ3[:, n_cells] = 0
    return add(pair.images_NHW3, shift_NQ3[np.arange(n)[:, None], own_NHW.reshape(n, -1)])


def cell_sums(pixels_NP3: Float32Array, cells_NP: Int64Array, n_cells: int) -> Float32Array:
    """Sums of the channels and counts in each cell, N x cells x 4."""
    n = len(pixels_NP3)
    flat = (cells_NP + n_cells * np.arange(n)[:, None]).ravel()
    columns = [np.bincount(flat, pixels_NP3[..., c].ravel(), n * n_cells) for c in range(3)]
    columns.append(np.bincount(flat, minlength=n * n_cells).astype(np.float64))
    sums: Float32Array = np.stack(columns, axis=1).reshape(n, n_cells, 4).astype(np.float32)
    return sums


def _rim_cells(masks_NHW: UInt8Array, reach: int) -> Int64Array:
    """Signed distance from the object's edge as an index; 2 x reach where it is farther than `reach`."""
    cells_NHW = np.full(masks_NHW.shape, 2 * reach, np.int64)
    for cells_HW, mask_HW in zip(cells_NHW, masks_NHW, strict=True):
        is_object = (mask_HW > FOREGROUND).astype(np.uint8)
        for side, offset in ((is_object, 0), (1 - is_object, reach)):
            steps_HW = np.ceil(np.minimum(cv2.distanceTransform(side, cv2.DIST_L2, 3), 2 * reach) - 1e-3)
            near = (steps_HW >= 1) & (steps_HW <= reach)
            cells_HW[near] = offset + steps_HW[near].astype(np.int64) - 1
    return cells_NHW
