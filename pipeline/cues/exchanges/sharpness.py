"""Sharpness exchanged: how strong each finer scale of detail is beside the coarsest one.

Shape legend: H height, W width, S scales.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from pipeline.core.types import Float32Array, Float64Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair, add
from pipeline.pixels.levels import LUMA

SIGMAS = (0.6, 1.0, 1.6, 2.5)  # of the blurs between which a scale lies
STEPS, FASTER = 10, 2.0  # scales overlap, so that each step goes part of the way
MOST_GAIN = 4.0  # of a step
TINY = 0.02  # levels^2: less is rounding


def exchange_sharpness(pair: Pair) -> UInt8Array:
    """The donor's energy of every finer scale beside the coarsest one's, whatever the contrast."""
    changes = [
        _exchange(image @ LUMA, donor @ LUMA)
        for image, donor in zip(pair.images_NHW3, pair.donors_NHW3, strict=True)
    ]
    return add(pair.images_NHW3, np.stack(changes)[..., None]) if changes else pair.images_NHW3


def _exchange(own_HW: Float32Array, donor_HW: Float32Array) -> Float32Array:
    """What has to be added to the image's lightness."""
    wanted_S, luma_HW = _energies(_scales(donor_HW)[0]), own_HW
    for _ in range(STEPS):
        scales, rest_HW = _scales(luma_HW)
        gain_S = (wanted_S / _energies(scales)) ** (FASTER / 2)
        gain_S = np.clip(gain_S / gain_S[-1], 1 / MOST_GAIN, MOST_GAIN)
        summed = rest_HW + sum(gain * scale for gain, scale in zip(gain_S, scales, strict=True))
        luma_HW = np.clip(summed, 0, 255).astype(np.float32)
    return luma_HW - own_HW


def _scales(luma_HW: Float32Array) -> tuple[list[Float32Array], Float32Array]:
    """What lies between neighboring blurs, the finest first, and what is coarser."""
    blurred = [luma_HW, *(cv2.GaussianBlur(luma_HW, (0, 0), sigma) for sigma in SIGMAS)]
    between = [np.asarray(fine - coarse, np.float32) for fine, coarse in itertools.pairwise(blurred)]
    return between, np.asarray(blurred[-1], np.float32)


def _energies(scales: list[Float32Array]) -> Float64Array:
    return np.array([float(np.square(scale).mean()) + TINY for scale in scales])
