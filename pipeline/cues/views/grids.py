"""Average colors of grids of cells, and grey images, of many small images at once.

Shape legend: N images, n images of a chunk, H height, W width, G cells on a side, X values of a cell.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.pixels.maps import for_each_chunk


def grid_means(images_NHW3: UInt8Array, grid: int) -> Float32Array:
    """Mean RGB of every cell in 0..1, N x G x G x 3."""
    return fill_rows(images_NHW3, (grid, grid, 3), lambda chunk_nHW3: _means(chunk_nHW3, grid))


def grid_colors(images_NHW3: UInt8Array, grid: int) -> Float32Array:
    """CIELAB of the mean color of every cell and the spread of its lightness, N x G x G x 4."""

    def measure(chunk_nHW3: UInt8Array) -> Float32Array:
        grey_nHW1 = greys(chunk_nHW3)[..., None]
        means_nGG3 = _means(chunk_nHW3, grid)
        square_nGG = _shrink(grey_nHW1**2, grid)[..., 0]
        mean_nGG = _shrink(grey_nHW1, grid)[..., 0]
        spread_nGG = np.sqrt(np.maximum(square_nGG - mean_nGG**2, 0))
        return np.concatenate([_lab(means_nGG3), 100 * spread_nGG[..., None]], axis=-1, dtype=np.float32)

    return fill_rows(images_NHW3, (grid, grid, 4), measure)


def greys(chunk_nHW3: UInt8Array) -> Float32Array:
    """Luma in 0..1 (ITU-R BT.601), n x H x W."""
    n, height, width = chunk_nHW3.shape[:3]
    strip = np.ascontiguousarray(chunk_nHW3).reshape(n * height, width, 3)
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY) if n else np.zeros((0, width), np.uint8)
    return grey.reshape(n, height, width).astype(np.float32) / np.float32(255)


def fill_rows(
    images_NHW3: UInt8Array, shape: tuple[int, ...], measure: Callable[[UInt8Array], Float32Array]
) -> Float32Array:
    """`measure` of every chunk of images, N x shape; threads share the chunks."""
    found = np.zeros((len(images_NHW3), *shape), np.float32)

    def fill(rows: slice) -> None:
        found[rows] = measure(np.asarray(images_NHW3[rows]))

    for_each_chunk(fill, images_NHW3, None)
    return found


def _means(chunk_nHW3: UInt8Array, grid: int) -> Float32Array:
    return _shrink(chunk_nHW3.astype(np.float32) / np.float32(255), grid)


def _shrink(values_nHWX: Float32Array, grid: int) -> Float32Array:
    """Area means, n x G x G x X; images are stacked into one tall strip, whose cells hold whole rows."""
    n, height, width, channels = values_nHWX.shape
    if not n:
        return np.zeros((0, grid, grid, channels), np.float32)
    if height % grid:  # rows of two images would share a cell
        parts = [cv2.resize(image, (grid, grid), interpolation=cv2.INTER_AREA) for image in values_nHWX]
        return np.asarray(parts, np.float32).reshape(n, grid, grid, channels)
    strip = np.ascontiguousarray(values_nHWX).reshape(n * height, width, channels)
    means = cv2.resize(strip, (grid, n * grid), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32).reshape(n, grid, grid, channels)


def _lab(rgb: Float32Array) -> Float32Array:
    flat = np.ascontiguousarray(rgb, np.float32).reshape(1, -1, 3)
    return (
        np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2Lab), np.float32).reshape(rgb.shape) if flat.size else rgb
    )
