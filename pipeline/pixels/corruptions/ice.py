"""Sheets of ice, drawn: what stands for the photographs of frost that published images were mixed with.

Crystals over soft spots, with the colors and the contrast of those photographs. Each is drawn once for images
of 224 pixels and shrunk for smaller ones, as the photographs were.

Shape legend: M side of a sheet, n lines.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from pipeline.core.types import Float32Array, Float64Array, UInt8Array
from pipeline.pixels.levels import to_uint8


class Look(NamedTuple):
    """Of one photograph."""

    color: tuple[float, float, float]  # mean of red, green and blue, of 255
    contrast: float  # standard deviation of the lightness, of 255
    crystals: float  # the part of it that crystals make; the rest is spots


SHEETS = (
    Look((78, 149, 166), 18, 0.5),
    Look((201, 205, 214), 21, 0.8),
    Look((201, 205, 214), 21, 0.8),
    Look((138, 153, 165), 28, 0.8),
    Look((112, 123, 135), 40, 0.8),
)
_DRAWN_FOR, _ACROSS = 224, 2.5  # side of an image, and sides of it that a sheet is wide
_BUNDLES, _NEEDLES, _BRANCHES = 450, 6, 7  # bundles of a sheet, needles of each, branches of each
_LEVELS = np.linspace(-1, 1.5, 7)  # of lightness, the brightest on top
_GRAIN = 0.4  # deviation of what no crystal shows
_SEED = 20190327


@lru_cache(maxsize=16)
def sheet(which: int, side: int) -> UInt8Array:
    """One sheet for images of that side, M x M x 3; the same for everyone, read-only."""
    look = SHEETS[which]
    n = round(_ACROSS * side)
    method = cv2.INTER_AREA if side < _DRAWN_FOR else cv2.INTER_LINEAR
    lightness_MM = _even(np.asarray(cv2.resize(_drawn(which), (n, n), interpolation=method), np.float32))
    tint_MM1 = np.float32(look.contrast) * lightness_MM[..., None]
    drawn_MM3 = to_uint8(np.array(look.color, np.float32) + tint_MM1)
    drawn_MM3.flags.writeable = False
    return drawn_MM3


@lru_cache(maxsize=len(SHEETS))
def _drawn(which: int) -> Float32Array:
    rng = np.random.default_rng([_SEED, which])
    share = SHEETS[which].crystals
    n = round(_ACROSS * _DRAWN_FOR)
    spots_MM = cv2.GaussianBlur(rng.standard_normal((n, n), dtype=np.float32), (0, 0), _DRAWN_FOR / 12)
    return np.asarray(share * _even(_crystals(n, rng)) + (1 - share) * _even(spots_MM), np.float32)


def _crystals(n: int, rng: Generator) -> Float32Array:
    """Needles of a bundle start at one place in about one direction; branches leave them at 60 degrees."""
    shape = (_BUNDLES, _NEEDLES)
    start = (
        np.repeat(rng.uniform(-0.05, 1.05, _BUNDLES) + 1j * rng.uniform(-0.05, 1.05, _BUNDLES), _NEEDLES) * n
    )
    angle = (rng.uniform(0, 2 * np.pi, (_BUNDLES, 1)) + rng.normal(0, 0.4, shape)).ravel()
    needle = n * np.exp(rng.normal(-2.9, 0.5, shape)).ravel() * np.exp(1j * angle)
    along = rng.uniform(0.1, 0.9, (needle.size, _BRANCHES))
    turned = np.exp(1j * np.pi / 3 * rng.choice([-1, 1], along.shape))
    branch = 0.35 * (1 - along) * needle[:, None] * turned
    foot = start[:, None] + along * needle[:, None]
    level = rng.integers(len(_LEVELS), size=needle.size)
    canvas_MM: Float32Array = np.zeros((n, n), np.float32)
    for number, light in enumerate(_LEVELS):
        own = level == number
        _draw(canvas_MM, start[own], needle[own], float(light), 2)
        _draw(canvas_MM, foot[own].ravel(), branch[own].ravel(), float(light), 1)
    grain_MM = _GRAIN * rng.standard_normal((n, n), dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(canvas_MM + grain_MM, (0, 0), 0.6), np.float32)


def _draw(
    canvas_MM: Float32Array,
    start_n: np.ndarray[tuple[int], np.dtype[np.complex128]],
    reach_n: np.ndarray[tuple[int], np.dtype[np.complex128]],
    light: float,
    thickness: int,
) -> None:
    """Lines; places are complex numbers, across and along."""
    ends_n2: Float64Array = np.stack([start_n, start_n + reach_n], axis=1)
    places_n22 = np.rint(np.stack([ends_n2.real, ends_n2.imag], axis=2)).astype(np.int32)
    cv2.polylines(canvas_MM, list(places_n22), False, light, thickness)


def _even(values: Float32Array) -> Float32Array:
    """Mean 0, deviation 1."""
    found: Float32Array = (values - values.mean()) / values.std()
    return found
