"""Digital: contrast, elastic cloth, large pixels, JPEG.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.pixels.corruptions.filters import gaussian
from pipeline.pixels.corruptions.strength import BySide, Size, constants_of
from pipeline.pixels.levels import to_uint8

CONTRAST: BySide[float] = {  # what remains of it
    32: (0.75, 0.5, 0.4, 0.3, 0.15),
    64: (0.4, 0.3, 0.2, 0.1, 0.05),
    224: (0.4, 0.3, 0.2, 0.1, 0.05),
}
ELASTIC: BySide[tuple[float, float, float]] = {
    # Strength and smoothness of local shifts, and how far corners move at most: shares of the side.
    32: ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    64: ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
    # Published as shares of 244, a slip that the images have.
    224: tuple(
        (244 / 224 * strength, 244 / 224 * smooth, 244 / 224 * corners)
        for strength, smooth, corners in (
            (2, 0.7, 0.1),
            (2, 0.08, 0.2),
            (0.05, 0.01, 0.02),
            (0.07, 0.01, 0.02),
            (0.12, 0.01, 0.02),
        )
    ),
}
PIXELS: BySide[float] = {  # of a side, per pixel of the image
    32: (0.95, 0.9, 0.85, 0.75, 0.65),
    64: (0.9, 0.8, 0.7, 0.6, 0.5),
    224: (0.6, 0.5, 0.4, 0.3, 0.25),
}
QUALITY: BySide[int] = {
    32: (80, 65, 58, 50, 40),
    64: (65, 58, 50, 40, 25),
    224: (25, 18, 15, 10, 7),
}


def contrast(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Every channel is drawn to its mean over the image."""
    kept = constants_of(CONTRAST, severity, Size(*images_NHW3.shape[1:3]))
    mean_N113 = images_NHW3.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    faded_NHW3 = images_NHW3 * np.float32(kept) + ((1 - kept) * mean_N113).astype(np.float32)
    return to_uint8(faded_NHW3)


def elastic_transform(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """A small affine map, then smooth local shifts.

    Low severities move much of the image far, high ones tear it locally: it is the local shear that grows.
    """
    size = Size(*images_NHW3.shape[1:3])
    strength, smooth, corners = (size.side * c for c in constants_of(ELASTIC, severity, size))
    y_HW, x_HW = np.mgrid[: size.height, : size.width].astype(np.float32)
    made = []
    for image, draw in zip(images_NHW3, draws, strict=True):
        leaning = cv2.warpAffine(
            image.astype(np.float32),
            _affine(size, corners, draw),
            size[::-1],
            borderMode=cv2.BORDER_REFLECT_101,
        )
        x_of, y_of = (grid + _shifts(size, strength, smooth, draw) for grid in (x_HW, y_HW))
        made.append(cv2.remap(leaning, x_of, y_of, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    return to_uint8(np.stack(made))


def _affine(size: Size, corners: float, draw: Generator) -> Float32Array:
    """Three corners of a square of two thirds of the side, each moved at random."""
    middle, half = np.array(size, np.float32) // 2, size.side // 3
    before_32 = middle + half * np.array([[1, 1], [1, -1], [-1, -1]], np.float32)
    after_32 = before_32 + draw.uniform(-corners, corners, size=(3, 2)).astype(np.float32)
    return np.asarray(cv2.getAffineTransform(before_32[:, ::-1].copy(), after_32[:, ::-1].copy()), np.float32)


def _shifts(size: Size, strength: float, smooth: float, draw: Generator) -> Float32Array:
    """In one direction, pixels, H x W."""
    drawn = draw.uniform(-1, 1, size=size).astype(np.float32)
    return strength * gaussian(drawn, smooth, truncate=3, border=cv2.BORDER_REFLECT)


def pixelate(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Made small by averages, then large again by repetition."""
    size = Size(*images_NHW3.shape[1:3])
    share = constants_of(PIXELS, severity, size)
    small = (int(size.width * share), int(size.height * share))
    return _each(
        images_NHW3,
        lambda image: image.resize(small, Image.Resampling.BOX).resize(size[::-1], Image.Resampling.BOX),
    )


def jpeg_compression(images_NHW3: UInt8Array, severity: int, draws: Sequence[Generator]) -> UInt8Array:
    """Saved at a low quality, colors at half the size."""
    quality = constants_of(QUALITY, severity, Size(*images_NHW3.shape[1:3]))
    return _each(images_NHW3, lambda image: _reopened(image, quality))


def _reopened(image: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def _each(images_NHW3: UInt8Array, change: Callable[[Image.Image], Image.Image]) -> UInt8Array:
    return np.stack([np.asarray(change(Image.fromarray(i)), np.uint8) for i in images_NHW3])
