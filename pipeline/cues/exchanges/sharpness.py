"""Sharpness exchanged: how strong each finer scale of detail is beside the coarsest one.

Shape legend: N images, H height, W width, S scales, L = S + 1 layers: the scales and what is coarser.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from pipeline.core.types import Float32Array, Float64Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair, add
from pipeline.pixels.levels import LUMA

SIGMAS = (0.6, 1.0, 1.6, 2.5)  # of the blurs between which a scale lies
ROUNDS = 2  # levels are cut at black and white, which the next round makes up for
STEPS = 100  # towards the gains of all scales at once: scales overlap
MOST_GAIN = 32.0  # what blur has taken away but for rounding cannot be made strong
TINY = 0.02  # levels^2: less is rounding


def exchange_sharpness(pair: Pair) -> UInt8Array:
    """The donor's energy of every finer scale beside the coarsest one's, whatever the contrast."""
    if not len(pair.images_NHW3):
        return pair.images_NHW3
    own_NHW = luma_NHW = pair.images_NHW3 @ LUMA
    wanted_NS = np.stack([_energies(_layers(donor_HW)[:-1]) for donor_HW in pair.donors_NHW3 @ LUMA])
    for _ in range(ROUNDS):
        layers_NLHW = np.stack([_layers(luma_HW) for luma_HW in luma_NHW])
        gains_NL = _gains(np.stack([_products(layers_LHW) for layers_LHW in layers_NLHW]), wanted_NS)
        gains_NL[wanted_NS[:, -1] <= 2 * TINY] = 1.0  # a flat donor has no sharpness to give
        luma_NHW = np.einsum("nl,nlhw->nhw", gains_NL.astype(np.float32), layers_NLHW).clip(0, 255)
    return add(pair.images_NHW3, (luma_NHW - own_NHW)[..., None])


def _layers(luma_HW: Float32Array) -> Float32Array:
    """What lies between neighboring blurs, the finest first, and what is coarser, L x H x W."""
    blurred = [luma_HW, *(cv2.GaussianBlur(luma_HW, (0, 0), sigma) for sigma in SIGMAS)]
    between = [fine - coarse for fine, coarse in itertools.pairwise(blurred)]
    return np.stack([*between, blurred[-1]]).astype(np.float32)


def _energies(scales_SHW: Float32Array) -> Float64Array:
    energies: Float64Array = np.square(scales_SHW).mean(axis=(1, 2), dtype=np.float64) + TINY
    return energies


def _products(layers_LHW: Float32Array) -> Float64Array:
    """What the layers leave in each scale, multiplied with one another, S x L x L.

    The energy in a scale of layers times gains is gains x products x gains, plus `TINY`.
    """
    n_layers = len(layers_LHW)
    left_SLP = np.stack([_layers(layer)[:-1] for layer in layers_LHW], axis=1).reshape(
        n_layers - 1, n_layers, -1
    )
    products: Float64Array = (left_SLP @ left_SLP.transpose(0, 2, 1)).astype(np.float64)
    return products / left_SLP.shape[2]


def _gains(products_NSLL: Float64Array, wanted_NS: Float64Array) -> Float64Array:
    """Of each layer, N x L: with them finer scales stand as wanted beside the coarsest one, which stays."""
    n, n_scales = wanted_NS.shape
    gains_NL = np.ones((n, n_scales + 1))
    for _ in range(STEPS):
        energy_NS = np.einsum("nl,nslm,nm->ns", gains_NL, products_NSLL, gains_NL, optimize=True) + TINY
        missing_NS = np.sqrt(wanted_NS / np.maximum(energy_NS, TINY / 2))
        step_NS = (missing_NS / missing_NS[:, -1:])[:, :-1]
        gains_NL[:, :-2] = np.clip(gains_NL[:, :-2] * step_NS, 1 / MOST_GAIN, MOST_GAIN)
    return gains_NL
