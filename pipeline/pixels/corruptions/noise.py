"""Noise: of a sensor, of few photons, of broken values.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from pipeline.core.types import UInt8Array
from pipeline.pixels.corruptions.strength import BySide, Size, constants_of
from pipeline.pixels.levels import to_uint8

DEVIATION: BySide[float] = {
    32: (0.04, 0.06, 0.08, 0.09, 0.10),
    64: (0.04, 0.08, 0.12, 0.15, 0.18),
    224: (0.08, 0.12, 0.18, 0.26, 0.38),
}
PHOTONS: BySide[float] = {  # that make full brightness
    32: (500, 250, 100, 75, 50),
    64: (250, 100, 50, 30, 15),
    224: (60, 25, 12, 5, 3),
}
BROKEN: BySide[float] = {  # share of values
    32: (0.01, 0.02, 0.03, 0.05, 0.07),
    64: (0.01, 0.02, 0.05, 0.08, 0.14),
    224: (0.03, 0.06, 0.09, 0.17, 0.27),
}


def gaussian_noise(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Normal noise of one deviation everywhere."""
    deviation = constants_of(DEVIATION, severity, Size(*images_NHW3.shape[1:3]))
    noise_NHW3 = np.stack([d.standard_normal(images_NHW3.shape[1:], dtype=np.float32) for d in draws])
    return to_uint8(images_NHW3 + np.float32(255 * deviation) * noise_NHW3)


def shot_noise(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Poisson counts of photons."""
    photons = constants_of(PHOTONS, severity, Size(*images_NHW3.shape[1:3]))
    counts_NHW3 = np.stack([d.poisson(i * (photons / 255)) for i, d in zip(images_NHW3, draws, strict=True)])
    return to_uint8(counts_NHW3 * (255 / photons))


def impulse_noise(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Values, of each channel by itself, that are 0 or full in equal parts."""
    broken = constants_of(BROKEN, severity, Size(*images_NHW3.shape[1:3]))
    drawn_NHW3 = np.stack([d.random(images_NHW3.shape[1:], dtype=np.float32) for d in draws])
    dark_NHW3 = np.where(drawn_NHW3 < broken / 2, np.uint8(0), images_NHW3)
    return np.where(drawn_NHW3 > 1 - broken / 2, np.uint8(255), dark_NHW3)
