"""The pointing game: does the map's peak lie on the foreground, and would it by chance?

Shape legend: S models, N images, H height, W width, h w cells of the map before upsampling.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array, UInt8Array
from pipeline.pixels.maps import FOREGROUND


def reach_masks(
    masks_NHW: UInt8Array, rows: Int64Array, cells: tuple[int, int], *, batch_size: int = 256
) -> BoolArray:
    """Which cells' centers lie in the mask dilated by one cell, N x h x w.

    A cell's center is reached where some foreground pixel is no farther from it than one cell's
    height and one cell's width: a map cannot point more finely than its cells.
    """
    near_hH = _within_one_cell(cells[0], masks_NHW.shape[1])
    near_wW = _within_one_cell(cells[1], masks_NHW.shape[2])
    reached_Nhw = np.empty((len(rows), *cells), bool)
    for i in range(0, len(rows), batch_size):
        masks = (masks_NHW[rows[i : i + batch_size]] > FOREGROUND).astype(np.float32)
        reached_Nhw[i : i + batch_size] = near_hH @ masks @ near_wW.T > 0
    return reached_Nhw


def play_pointing(maps_SNhw: Float32Array, reached_Nhw: BoolArray) -> tuple[Float64Array, Float64Array]:
    """Whether each map's highest cell is reached by its own mask, and the share of other masks.

    As in `energy.energy_in_masks`, the second number is the exact mean over all ways to hand the map
    another image's mask. Both are NaN where the map is blank or the image's own mask is empty (empty
    masks are handed to nobody); the second also where there is one mask only. Of equal peaks the
    first counts.

    Returns:
        hits S x N (0 or 1), chance S x N.
    Source: Zhang et al. 2016 (arXiv:1608.00507), there with a margin of 15 pixels.
    """
    n_models, n = maps_SNhw.shape[:2]
    peaks_SN = maps_SNhw.reshape(n_models, n, -1).argmax(axis=2)
    reached_Nc = reached_Nhw.reshape(n, -1).astype(np.float64)
    has_mask_N = reached_Nc.any(axis=1)
    hits_SN = reached_Nc[np.arange(n), peaks_SN]
    others_SN = reached_Nc.sum(axis=0)[peaks_SN] - hits_SN
    known_SN = (maps_SNhw > 0).any(axis=(2, 3)) & has_mask_N
    n_masks = np.count_nonzero(has_mask_N)
    chance_SN = others_SN / (n_masks - 1) if n_masks > 1 else np.full(hits_SN.shape, np.nan)
    return np.where(known_SN, hits_SN, np.nan), np.where(known_SN, chance_SN, np.nan)


def _within_one_cell(n_cells: int, n_pixels: int) -> Float32Array:
    """Cells x pixels, 1 where the pixel is at most one cell's side from the cell's center."""
    side = n_pixels / n_cells
    centers = (np.arange(n_cells) + 0.5) * side - 0.5
    distances = np.abs(centers[:, None] - np.arange(n_pixels))
    near: Float32Array = (distances <= side + 1e-9).astype(np.float32)
    return near
