"""Texture exchanged: what is finer than a few pixels.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.exchanges.color import exchange_color
from pipeline.cues.exchanges.pair import Pair, add
from pipeline.pixels.levels import LUMA

LEAST_SIGMA, SHARE = 2.0, 1 / 32  # what is finer is texture: in pixels, and as a share of the shorter side
TINY = 2.0  # levels of detail: less is rounding, and is not made strong


def exchange_texture(pair: Pair) -> UInt8Array:
    """The donor's fine detail of lightness, as strong but spread as its own is: texture, not shape.

    Where the image has less detail than elsewhere it stays so: the donor's outlines come along only where
    the image has own ones.

    Source: the two layers of Burt and Adelson 1983 (The Laplacian pyramid), divided by local contrast as in
    Schwartz and Simoncelli 2001 (Natural signal statistics and sensory gain control).
    """
    layers = [
        _own_strength(image @ LUMA, donor @ LUMA)
        for image, donor in zip(pair.images_NHW3, pair.donors_NHW3, strict=True)
    ]
    return add(pair.images_NHW3, np.stack(layers)[..., None]) if layers else pair.images_NHW3


def _own_strength(own_HW: Float32Array, donor_HW: Float32Array) -> Float32Array:
    """What has to be added to the image's lightness."""
    sigma = max(LEAST_SIGMA, SHARE * min(own_HW.shape))
    (own_fine_HW, own_size_HW), (fine_HW, size_HW) = (_fine(luma_HW, sigma) for luma_HW in (own_HW, donor_HW))
    strength = float(size_HW.mean() / own_size_HW.mean())
    change = np.asarray(fine_HW * (own_size_HW / size_HW) * strength - own_fine_HW, np.float32)
    return change


def _fine(luma_HW: Float32Array, sigma: float) -> tuple[Float32Array, Float32Array]:
    """What blur takes away, and how large that is around each pixel, in levels."""
    fine_HW = np.asarray(luma_HW - cv2.GaussianBlur(luma_HW, (0, 0), sigma), np.float32)
    energy_HW = cv2.GaussianBlur(fine_HW * fine_HW, (0, 0), 2 * sigma)
    return fine_HW, np.asarray(np.sqrt(np.maximum(energy_HW, 0)) + TINY, np.float32)


def exchange_look(pair: Pair) -> UInt8Array:
    """Texture, then color and lightness: everything of these that single images tell."""
    return exchange_color(pair._replace(images_NHW3=exchange_texture(pair)))
