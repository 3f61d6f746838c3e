"""Places of the frame exchanged: the donor's pixels there, and its coarse layout.

Shape legend: N images, H height, W width, G cells on a side.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import BoolArray, Float32Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair, add


def paste_cells(pair: Pair, inside_GG: BoolArray) -> UInt8Array:
    """The donor's pixels in the cells that are True, and the image's own in all others."""
    height, width = pair.images_NHW3.shape[1:3]
    rows_H, columns_W = _cell_of(height, len(inside_GG)), _cell_of(width, len(inside_GG))
    inside_HW1 = inside_GG[rows_H][:, columns_W][..., None]
    return np.where(inside_HW1, pair.donors_NHW3, pair.images_NHW3)


def shift_layout(pair: Pair, shift_NGGC: Float32Array) -> UInt8Array:
    """Levels of cells added as a smooth surface.

    Enlarging smooths the cells as well, so what is missing of their means is added once more.
    """
    n, grid = shift_NGGC.shape[:2]
    height, width = pair.images_NHW3.shape[1:3]
    surface_NHWC = np.empty((n, height, width, shift_NGGC.shape[-1]), np.float32)
    for i, cells_GGC in enumerate(shift_NGGC):
        first = _enlarge(cells_GGC, width, height)
        missing = cells_GGC - _shrink(first, grid)
        surface_NHWC[i] = first + _enlarge(missing, width, height)
    return add(pair.images_NHW3, surface_NHWC)


def _enlarge(cells_GGC: Float32Array, width: int, height: int) -> Float32Array:
    large = cv2.resize(np.ascontiguousarray(cells_GGC), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(height, width, -1)


def _shrink(surface_HWC: Float32Array, grid: int) -> Float32Array:
    small = cv2.resize(surface_HWC, (grid, grid), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(grid, grid, -1)


def _cell_of(size: int, grid: int) -> np.typing.NDArray[np.int64]:
    return np.arange(size) * grid // size
