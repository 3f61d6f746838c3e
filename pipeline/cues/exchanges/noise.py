"""Noise exchanged: taken away or added until there is as much as in the donor.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair
from pipeline.pixels.levels import to_uint8

KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
QUARTILE = 0.3186  # of |x|, where x is normal with spread 1
SEARCH, PATCH = 7, 3  # pixels, of non-local means
STRENGTH = 2.5  # of the filter, in spreads of the noise: what is left of it is hardly to be seen


def exchange_noise(pair: Pair) -> UInt8Array:
    """As much noise as the donor has, channel by channel: own noise shrunk, or some of the donor's added.

    Source: Immerkaer 1996 (how much noise there is); Buades, Coll and Morel 2005 (non-local means).
    """
    edited = np.empty_like(pair.images_NHW3)
    for i, (image, donor) in enumerate(zip(pair.images_NHW3, pair.donors_NHW3, strict=True)):
        edited[i] = _exchange(image, donor)
    return edited


def _exchange(image_HW3: UInt8Array, donor_HW3: UInt8Array) -> UInt8Array:
    own_3, donor_3 = noise_level(image_HW3), noise_level(donor_HW3)
    result = image_HW3.astype(np.float32)
    if (own_3 > donor_3).any():
        kept_3 = np.minimum(donor_3 / np.maximum(own_3, 1e-6), 1)
        result -= (1 - kept_3) * noise_of(image_HW3, own_3)
    if (donor_3 > own_3).any():
        noise = noise_of(donor_HW3, donor_3)
        missing_3 = np.sqrt(np.maximum(donor_3**2 - own_3**2, 0))
        result += noise * missing_3 / np.maximum(noise.std(axis=(0, 1)), 0.25)
    return to_uint8(result)


def noise_level(image_HW3: UInt8Array) -> Float32Array:
    """Spread of the noise of each channel, in levels; low quartiles leave edges out."""
    left = np.abs(cv2.filter2D(image_HW3, cv2.CV_32F, KERNEL))[1:-1, 1:-1].reshape(-1, 3)
    return np.asarray(np.quantile(left, 0.25, axis=0) / QUARTILE, np.float32)


def noise_of(image_HW3: UInt8Array, level_3: Float32Array) -> Float32Array:
    """What non-local means takes away, of all channels at once: one by one takes three times as long."""
    strength = STRENGTH * float(level_3.mean()) + 0.1
    smooth = cv2.fastNlMeansDenoising(np.ascontiguousarray(image_HW3), None, strength, PATCH, SEARCH)
    return image_HW3.astype(np.float32) - np.asarray(smooth, np.float32)
