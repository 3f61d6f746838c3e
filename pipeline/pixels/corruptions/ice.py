"""Sheets of ice, drawn: what stands for the photographs of frost that published images were mixed with.

Needles in bundles over soft spots, with the colors and the contrast that those photographs have.

Shape legend: M side of a sheet.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.pixels.levels import to_uint8


class Look(NamedTuple):
    """Of one photograph."""

    color: tuple[float, float, float]  # mean of red, green and blue, of 255
    contrast: float  # standard deviation of the lightness, of 255
    needles: float  # the part of it that needles make


SHEETS = (
    Look((78, 149, 166), 18, 0.5),
    Look((201, 205, 214), 21, 0.8),
    Look((201, 205, 214), 21, 0.8),
    Look((138, 153, 165), 28, 0.8),
    Look((112, 123, 135), 40, 0.8),
)
_ACROSS = 2.5  # sides of an image that a sheet is wide
_BUNDLES, _NEEDLES = 70, 14  # bundles on the area of an image, and needles of each
_SEED = 20190327


@lru_cache(maxsize=16)
def sheet(which: int, side: int) -> UInt8Array:
    """One sheet for images of that side, M x M x 3; the same for everyone, read-only."""
    look = SHEETS[which]
    rng = np.random.default_rng([_SEED, which, side])
    n = round(_ACROSS * side)
    needles, spots = _needles(n, side, rng), _spots(n, side, rng)
    lightness = look.needles * _even(needles) + (1 - look.needles) * _even(spots)
    tint_MM1 = np.float32(look.contrast) * _even(lightness)[..., None]
    drawn = to_uint8(np.array(look.color, np.float32) + tint_MM1)
    drawn.flags.writeable = False
    return drawn


def _needles(n: int, side: int, rng: Generator) -> Float32Array:
    """Bright and dark lines; those of a bundle start at one place and have about one direction."""
    canvas = np.zeros((n, n), np.float32)
    for _ in range(round(_BUNDLES * _ACROSS**2)):
        start, angle, length = rng.random(2) * n, rng.random() * 2 * np.pi, side * rng.uniform(0.05, 0.35)
        for turn, reach, light in rng.normal(size=(_NEEDLES, 3)) * (0.5, 0.4, 1):
            end = start + length * np.exp(reach) * np.array([np.cos(angle + turn), np.sin(angle + turn)])
            layer_ends = [tuple(int(v) for v in np.rint(16 * place)) for place in (start, end)]
            cv2.line(canvas, *layer_ends, float(light), 1, cv2.LINE_8, 4)
    return canvas


def _spots(n: int, side: int, rng: Generator) -> Float32Array:
    noise = rng.standard_normal((n, n), dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), side / 12), np.float32)


def _even(values: Float32Array) -> Float32Array:
    """Mean 0, deviation 1."""
    found: Float32Array = (values - values.mean()) / values.std()
    return found
