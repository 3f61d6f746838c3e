"""Weather: snow, frost, fog, and bright light.

Shape legend: N images, H height, W width, M side of a map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.pixels.corruptions.filters import clipped_zoom, motion_blur
from pipeline.pixels.corruptions.ice import SHEETS, sheet
from pipeline.pixels.corruptions.plasma import plasma
from pipeline.pixels.corruptions.strength import BySide, Size, constants_of
from pipeline.pixels.levels import LUMA, to_uint8

Snow = tuple[float, float, float, float, float, float, float]
_SMALL_SNOW = (
    (0.1, 0.2, 1, 0.6, 8, 3),
    (0.1, 0.2, 1, 0.5, 10, 4),
    (0.15, 0.3, 1.75, 0.55, 10, 4),
    (0.25, 0.3, 2.25, 0.6, 12, 6),
    (0.3, 0.3, 1.25, 0.65, 14, 12),
)
SNOW: BySide[Snow] = {
    # Mean and deviation of flakes, their magnification, least brightness; radius and deviation of their
    # trail in pixels; share of the image that stays as it is.
    32: [(*flakes, kept) for flakes, kept in zip(_SMALL_SNOW, (0.95, 0.9, 0.9, 0.85, 0.8), strict=True)],
    64: [(*flakes, kept) for flakes, kept in zip(_SMALL_SNOW, (0.8, 0.8, 0.7, 0.65, 0.6), strict=True)],
    224: (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
}
FROST: BySide[tuple[float, float]] = {  # weights of the image and of the ice
    32: ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    64: ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    224: ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
}
FOG: BySide[tuple[float, float]] = {  # thickness, and how much each finer scale is weaker
    32: ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    64: ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    224: ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
}
BRIGHTNESS: BySide[float] = {  # added to the value of HSV
    32: (0.05, 0.1, 0.15, 0.2, 0.3),
    64: (0.1, 0.2, 0.3, 0.4, 0.5),
    224: (0.1, 0.2, 0.3, 0.4, 0.5),
}


def snow(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Flakes with trails over a whitened image."""
    size = Size(*images_NHW3.shape[1:3])
    constants = constants_of(SNOW, severity, size)
    kept = np.float32(constants[6])
    images = images_NHW3.astype(np.float32) / 255
    white = np.maximum(images, 1.5 * (images @ LUMA)[..., None] + 0.5)
    flakes_NHW1 = np.stack([_flakes(size, constants, draw) for draw in draws])[..., None]
    turned_NHW1 = flakes_NHW1[:, ::-1, ::-1]
    return to_uint8(255 * (kept * images + (1 - kept) * white + flakes_NHW1 + turned_NHW1))


def _flakes(size: Size, constants: Snow, draw: Generator) -> Float32Array:
    """Of one direction, H x W in [0, 1]."""
    mean, deviation, magnified, least, radius, sigma, _ = constants
    drawn = mean + deviation * draw.standard_normal(size, dtype=np.float32)
    grown = clipped_zoom(np.asarray(drawn, np.float32), max(magnified * size.scale, 1.0))
    bright = np.where(grown < least, np.float32(0), np.clip(grown, 0, 1))
    return motion_blur(bright, radius * size.scale, sigma * size.scale, float(draw.uniform(-135, -45)))


def frost(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Ice on a pane: a place on one of the sheets of `ice.py`, which stand for the published photographs."""
    size = Size(*images_NHW3.shape[1:3])
    own, of_ice = constants_of(FROST, severity, size)
    ice_NHW3 = np.stack([_ice(size, draw) for draw in draws])
    return to_uint8(np.float32(own) * images_NHW3 + np.float32(of_ice) * ice_NHW3)


def _ice(size: Size, draw: Generator) -> UInt8Array:
    """A part of the size of the image; a long image's sheet has the scale of its longer side."""
    pane = sheet(int(draw.integers(len(SHEETS))), max(size))
    y, x = (int(draw.integers(whole - part + 1)) for whole, part in zip(pane.shape[:2], size, strict=True))
    return pane[y : y + size.height, x : x + size.width]


def fog(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """A cloud that is added, then the image darkened to the brightness that it had."""
    size = Size(*images_NHW3.shape[1:3])
    thickness, decay = constants_of(FOG, severity, size)
    images = images_NHW3.astype(np.float32)
    brightest_N111 = images.max(axis=(1, 2, 3), keepdims=True) / 255
    cloud_NHW1 = plasma(max(size), decay, draws)[:, : size.height, : size.width, None]
    hidden = images + np.float32(255 * thickness) * cloud_NHW1
    return to_uint8(hidden * brightest_N111 / (brightest_N111 + np.float32(thickness)))


def brightness(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """The value of HSV is raised, hue and saturation stay: all channels of a pixel grow by one factor."""
    added = constants_of(BRIGHTNESS, severity, Size(*images_NHW3.shape[1:3]))
    value_NHW1 = images_NHW3.max(axis=3, keepdims=True).astype(np.float32)
    raised_NHW1 = np.minimum(value_NHW1 + np.float32(255 * added), 255)
    scaled = images_NHW3 * (raised_NHW1 / np.maximum(value_NHW1, 1))
    return to_uint8(np.where(value_NHW1 > 0, scaled, raised_NHW1))
