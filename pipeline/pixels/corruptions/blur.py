"""Blur: of a lens, of frosted glass, of motion, of a zoom.

Shape legend: N images, H height, W width, T steps of time, P places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.random import Generator

from pipeline.core.types import Float32Array, Int64Array, UInt8Array
from pipeline.pixels.corruptions.filters import clipped_zoom, gaussian
from pipeline.pixels.corruptions.filters import motion_blur as trail
from pipeline.pixels.corruptions.strength import BySide, Size, constants_of
from pipeline.pixels.levels import to_uint8

DISK: BySide[tuple[float, float]] = {  # radius, and the blur of its edge, in pixels
    32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    64: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    224: ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
}
GLASS: BySide[tuple[float, int, int]] = {  # blur in pixels, farthest pixel taken, rounds
    32: ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    64: ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    224: ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
}
MOTION: BySide[tuple[float, float]] = {  # radius and deviation in pixels
    32: ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    64: ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    224: ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
}
_SMALL_ZOOMS = ((0.06, 0.01), (0.11, 0.01), (0.15, 0.01), (0.20, 0.01), (0.25, 0.01))
ZOOM: BySide[tuple[float, float]] = {  # largest magnification beyond 1, and its steps
    32: _SMALL_ZOOMS,
    64: _SMALL_ZOOMS,
    224: ((0.11, 0.01), (0.15, 0.01), (0.20, 0.02), (0.24, 0.02), (0.30, 0.03)),
}


def defocus_blur(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """A disk with a soft edge."""
    size = Size(*images_NHW3.shape[1:3])
    radius, edge = (size.scale * c for c in constants_of(DISK, severity, size))
    kernel = disk(radius, edge)
    blurred = [cv2.filter2D(i.astype(np.float32), -1, kernel) for i in images_NHW3]
    return to_uint8(np.stack(blurred))


def disk(radius: float, edge: float) -> Float32Array:
    """Weights of a disk, blurred by `edge` within 3 pixels, within 5 where the disk is larger than 8."""
    half, reach = (8, 3) if radius <= 8 else (math.ceil(radius), 5)
    square = np.arange(-half, half + 1) ** 2
    inside = (square[:, None] + square[None] <= radius**2).astype(np.float32)
    soft = cv2.GaussianBlur(inside / inside.sum(), (reach, reach), edge)
    rows = np.flatnonzero(soft.any(axis=1))  # a smaller kernel is faster, and the same
    return np.ascontiguousarray(soft[rows[0] : rows[-1] + 1, rows[0] : rows[-1] + 1], np.float32)


def glass_blur(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Every pixel becomes one of its neighbors', between two small blurs.

    Published images do not exchange two pixels: the second gets what it had. This does the same.
    """
    size = Size(*images_NHW3.shape[1:3])
    sigma, reach, rounds = constants_of(GLASS, severity, size)
    sigma, reach = sigma * size.scale, max(round(reach * size.scale), 1)
    moved = np.stack([_soft(i, sigma).astype(np.uint8) for i in images_NHW3.astype(np.float32)])
    moves_NRHW2 = np.stack([d.integers(-reach, reach, size=(rounds, *size, 2)) for d in draws])
    for round_ in range(rounds):
        _take_neighbors(moved, moves_NRHW2[:, round_], reach)
    return to_uint8(np.stack([_soft(i, sigma) for i in moved.astype(np.float32)]))


def _soft(image_HW3: Float32Array, sigma: float) -> Float32Array:
    return gaussian(image_HW3, sigma, truncate=4, border=cv2.BORDER_REPLICATE)


def _take_neighbors(images_NHW3: UInt8Array, moves_NHW2: Int64Array, reach: int) -> None:
    """Pixel by pixel from the last row and column up, in place: each takes the pixel that lies a move away.

    All pixels are taken at one time that no other of that time can change: the outcome is that of one after
    the other.
    """
    rows_N1 = np.arange(len(images_NHW3))[:, None]
    for y_P, x_P in fronts(Size(*images_NHW3.shape[1:3]), reach):
        move_NP2 = moves_NHW2[:, y_P, x_P]
        images_NHW3[:, y_P, x_P] = images_NHW3[rows_N1, y_P + move_NP2[..., 0], x_P + move_NP2[..., 1]]


def fronts(size: Size, reach: int) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Places (y, x) that may be done at once, in an order that changes nothing of row after row."""
    first, (bottom, right) = reach + 1, (size.height - reach, size.width - reach)
    y_P, x_P = (grid.ravel() for grid in np.mgrid[first : bottom + 1, first : right + 1])
    time_P = (2 * reach + 1) * (bottom - y_P) + (right - x_P)
    order_P = np.argsort(time_P, kind="stable")
    for places in np.split(order_P, np.flatnonzero(np.diff(time_P[order_P])) + 1):
        if len(places):
            yield y_P[places], x_P[places]


def motion_blur(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """A trail in a direction within 45 degrees of the horizontal."""
    size = Size(*images_NHW3.shape[1:3])
    radius, sigma = (size.scale * c for c in constants_of(MOTION, severity, size))
    blurred = [
        trail(image.astype(np.float32), radius, sigma, float(draw.uniform(-45, 45)))
        for image, draw in zip(images_NHW3, draws, strict=True)
    ]
    return to_uint8(np.stack(blurred))


def zoom_blur(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """The mean of the image, counted once more, and its magnifications."""
    most, step = constants_of(ZOOM, severity, Size(*images_NHW3.shape[1:3]))
    factors = 1 + step * np.arange(round(most / step) + 1)
    total = images_NHW3.astype(np.float32)
    for i, image_HW3 in enumerate(total.copy()):
        for factor in factors:
            total[i] += clipped_zoom(image_HW3, float(factor))
    return to_uint8(total / (len(factors) + 1))
