"""Color exchanged: how the three channels spread together, then their means level by level of lightness.

Shape legend: N images, P pixels, Q levels.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float32Array, Float64Array, UInt8Array
from pipeline.cues.exchanges.cells import cell_sums
from pipeline.cues.exchanges.pair import Pair, add, pixels
from pipeline.pixels.levels import LUMA

N_LEVELS = 12  # of an image's lightness, from its darkest to its lightest
MOST_GAIN = 4.0  # of a color's distance from the mean: noise of a grey image is not to become colorful
TINY = 2.0  # levels^2 of variance: what spreads less is rounding and is not drawn apart


def exchange_color(pair: Pair) -> UInt8Array:
    """The donor's mean color, lightness included, at each level from an image's darkest to its lightest.

    Ink gets the color of ink and paper that of paper; brightness and contrast go along. Before that all
    colors are moved, stretched and turned together so that they lie as the donor's do: means of levels say
    little of hues where an image has several.

    Source: Pitie and Kokaram 2007 (the linear Monge-Kantorovich mapping of colors); Welsh, Ashikhmin and
    Mueller 2002 (Transferring color to greyscale images), with means of levels in place of single pixels.
    """
    own_NP3, donor_NP3 = (pixels(images) for images in (pair.images_NHW3, pair.donors_NHW3))
    turned_NP3 = np.clip(_turned(own_NP3, donor_NP3), 0, 255)
    shift_NP3 = _level_shift(turned_NP3, donor_NP3, _levels(own_NP3))
    return add(pair.images_NHW3, turned_NP3 - own_NP3 + shift_NP3)


def _turned(own_NP3: Float32Array, donor_NP3: Float32Array) -> Float32Array:
    """The linear map of own colors that moves them least and gives them the donor's mean and covariance.

    Where that asks for more than `MOST_GAIN` they get less spread than the donor's.
    """
    (own_N13, own_N33), (donor_N13, donor_N33) = _spread(own_NP3), _spread(donor_NP3)
    root_N33, inverse_N33 = _power(own_N33, 0.5), _power(own_N33, -0.5)
    map_N33 = _power(
        inverse_N33 @ _power(root_N33 @ donor_N33 @ root_N33, 0.5) @ inverse_N33, 1.0, most=MOST_GAIN
    )
    turned: Float32Array = ((own_NP3 - own_N13) @ map_N33.astype(np.float32) + donor_N13).astype(np.float32)
    return turned


def _spread(pixels_NP3: Float32Array) -> tuple[Float32Array, Float64Array]:
    """Mean (N x 1 x 3) and covariance (N x 3 x 3) of the channels."""
    mean_N13 = pixels_NP3.mean(axis=1, keepdims=True)
    left_NP3 = pixels_NP3 - mean_N13
    products_N33 = np.matmul(left_NP3.transpose(0, 2, 1), left_NP3).astype(np.float64)
    return mean_N13, products_N33 / pixels_NP3.shape[1] + TINY * np.eye(3)


def _power(symmetric_N33: Float64Array, power: float, most: float = np.inf) -> Float64Array:
    values_N3, vectors_N33 = np.linalg.eigh(symmetric_N33)
    raised_N13 = np.minimum(np.maximum(values_N3, 1e-6)[:, None] ** power, most)
    result: Float64Array = (vectors_N33 * raised_N13) @ vectors_N33.transpose(0, 2, 1)
    return result


def _level_shift(own_NP3: Float32Array, donor_NP3: Float32Array, own_NP: Float32Array) -> Float32Array:
    """Donor's minus own mean color at each pixel's level of lightness, which is `own_NP`, N x P x 3."""
    donor_NP = _levels(donor_NP3)
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
    middle_N1, range_N1 = (low_N1 + high_N1) / 2, np.maximum(high_N1 - low_N1, 8)
    levels: Float32Array = np.clip((luma_NP - middle_N1) / range_N1 + 0.5, 0, 1)
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
