"""Clouds by the diamond-square algorithm, for many images at once.

Shape legend: N images, M side of the map, m cells of a side at one scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from pipeline.core.types import Float32Array


def plasma(side: int, decay: float, draws: Sequence[Generator]) -> Float32Array:
    """A seamless map from 0 to 1 of each image, N x M x M; M is the next power of two from `side` up.

    The middle of every square is the mean of its corners plus uniform noise, then that of every diamond; each
    finer scale's noise is weaker by the square of `decay`. Source: Fournier et al. 1982, Communications of the
    ACM 25:371.
    """
    n_cells = 1 << max(side - 1, 1).bit_length()
    drawn_NMM = np.stack([2 * d.random((n_cells, n_cells), dtype=np.float32) - 1 for d in draws])
    map_NMM = np.zeros_like(drawn_NMM)
    step, noise = n_cells, np.float32(1)
    while step >= 2:
        half = step // 2
        corners = map_NMM[:, ::step, ::step]
        middles = _mean_of_four(corners, (-1, -1)) + noise * drawn_NMM[:, half::step, half::step]
        map_NMM[:, half::step, half::step] = middles
        # A diamond's corners are two corners of squares and two middles, those above or left of it too.
        upright = (corners + np.roll(corners, -1, 2) + middles + np.roll(middles, 1, 1)) / 4
        map_NMM[:, ::step, half::step] = upright + noise * drawn_NMM[:, ::step, half::step]
        level = (corners + np.roll(corners, -1, 1) + middles + np.roll(middles, 1, 2)) / 4
        map_NMM[:, half::step, ::step] = level + noise * drawn_NMM[:, half::step, ::step]
        step, noise = half, np.float32(noise / decay**2)
    map_NMM -= map_NMM.min(axis=(1, 2), keepdims=True)
    found: Float32Array = map_NMM / map_NMM.max(axis=(1, 2), keepdims=True)
    return found


def _mean_of_four(corners_Nmm: Float32Array, by: tuple[int, int]) -> Float32Array:
    below_Nmm = corners_Nmm + np.roll(corners_Nmm, by[0], axis=1)
    found: Float32Array = (below_Nmm + np.roll(below_Nmm, by[1], axis=2)) / 4
    return found
