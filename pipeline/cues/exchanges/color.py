"""Color exchanged level by level of lightness.

Shape legend: N images, P pixels, Q levels.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.exchanges.cells import cell_sums
from pipeline.cues.exchanges.pair import Pair, add, pixels
from pipeline.pixels.levels import LUMA

N_LEVELS = 12  # of an image's lightness, from its darkest to its lightest


def exchange_color(pair: Pair) -> UInt8Array:
    """The donor's mean color, lightness included, at each level from an image's darkest to its lightest.

    Ink gets the color of ink and paper that of paper; brightness and contrast go along.

    Source: Welsh, Ashikhmin and Mueller 2002 (Transferring color to greyscale images), with means of
    levels in place of single pixels.
    """
    return add(pair.images_NHW3, _level_shift(pair))


def _level_shift(pair: Pair) -> Float32Array:
    """Donor's minus own mean color at each pixel's level of lightness, N x P x 3."""
    own_NP3, donor_NP3 = (pixels(images) for images in (pair.images_NHW3, pair.donors_NHW3))
    own_NP, donor_NP = _levels(own_NP3), _levels(donor_NP3)
    shift_NQ3 = _level_means(donor_NP3, donor_NP) - _level_means(own_NP3, own_NP)
    place_NP = np.clip(own_NP * N_LEVELS - 0.5, 0, N_LEVELS - 1)
    below_NP = np.minimum(place_NP.astype(np.int64), N_LEVELS - 2)
    weight_NP1 = (place_NP - below_NP)[..., None].astype(np.float32)
    rows_N1 = np.arange(len(own_NP))[:, None]
    lower, upper = shift_NQ3[rows_N1, below_NP], shift_NQ3[rows_N1, below_NP + 1]
    shift: Float32Array = (1 - weight_NP1) * lower + weight_NP1 * upper
    return shift


def _levels(pixels_NP3: Float32Array) -> Float32Array:
    """Lightness of each pixel between its image's 2nd (0) and 98th (1) percentile, N x P."""
    luma_NP = pixels_NP3 @ LUMA
    low_N1, high_N1 = np.percentile(luma_NP, [2, 98], axis=1)[..., None]
    levels: Float32Array = np.clip((luma_NP - low_N1) / np.maximum(high_N1 - low_N1, 8), 0, 1)
    return levels


def _level_means(pixels_NP3: Float32Array, levels_NP: Float32Array) -> Float32Array:
    """Mean color at each level, smoothed over its neighbors, N x Q x 3; empty levels take the nearest."""
    n = len(pixels_NP3)
    level_NP = np.minimum((levels_NP * N_LEVELS).astype(np.int64), N_LEVELS - 1)
    sums_NQ4 = cell_sums(pixels_NP3, level_NP, N_LEVELS)
    apart_QQ = np.abs(np.subtract.outer(np.arange(N_LEVELS), np.arange(N_LEVELS)))
    kernel_QQ = np.exp(-2.0 * apart_QQ**2) + 1e-9 * np.exp(-1.0 * apart_QQ)
    smooth_NQ4 = np.einsum("qr,nrc->nqc", kernel_QQ, sums_NQ4.reshape(n, N_LEVELS, 4))
    means: Float32Array = (smooth_NQ4[..., :3] / smooth_NQ4[..., 3:]).astype(np.float32)
    return means
