"""Filters that several corruptions are made of, as in the libraries that made the published images.

Shape legend: H height, W width, C channels.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.core.types import Float32Array

_TAIL = 4.5  # standard deviations of a trail beyond which nothing of 8 bits is left


def gaussian(image_HWC: Float32Array, sigma: float, *, truncate: float, border: int) -> Float32Array:
    """A Gaussian blur that ends at `truncate` standard deviations, as SciPy's does."""
    reach = int(truncate * sigma + 0.5)
    if reach == 0:
        return image_HWC
    size = (2 * reach + 1, 2 * reach + 1)
    return np.asarray(cv2.GaussianBlur(image_HWC, size, sigma, borderType=border), np.float32)


def motion_kernel(radius: float, sigma: float, degrees: float) -> tuple[Float32Array, tuple[int, int]]:
    """Weights of a trail, and the place (x, y) of the pixel that it starts from.

    Half of a Gaussian over 2 radius + 1 pixels along the angle, each rounded to a pixel, as ImageMagick
    blurs by motion; `cv2.filter2D` applies it.
    """
    length = min(2 * math.ceil(radius) + 1, math.ceil(_TAIL * sigma) + 1)
    steps_L = np.arange(length)
    weights_L = np.exp(-(steps_L**2) / (2 * sigma**2))
    angle = math.radians(degrees)
    down_L, right_L = (np.ceil(steps_L * part(angle) - 0.5).astype(int) for part in (math.sin, math.cos))
    top, left = min(int(down_L.min()), 0), min(int(right_L.min()), 0)
    kernel = np.zeros((int(down_L.max()) - top + 1, int(right_L.max()) - left + 1), np.float32)
    np.add.at(kernel, (down_L - top, right_L - left), weights_L / weights_L.sum())
    return kernel, (-left, -top)


def motion_blur(image_HWC: Float32Array, radius: float, sigma: float, degrees: float) -> Float32Array:
    """The image with a trail in one direction; beyond the border it goes on as at the border."""
    kernel, anchor = motion_kernel(radius, sigma, degrees)
    blurred = cv2.filter2D(image_HWC, -1, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def clipped_zoom(image_HWC: Float32Array, factor: float) -> Float32Array:
    """The middle of the image, magnified to its size: bilinear, first pixel on first and last on last.

    The part taken has ceil(side / factor) pixels; what comes out beyond the side is cut from both ends.
    """
    height, width = image_HWC.shape[:2]
    (gain_y, start_y), (gain_x, start_x) = _zoom_of(height, factor), _zoom_of(width, factor)
    map_23 = np.array([[gain_x, 0, start_x], [0, gain_y, start_y]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    zoomed = cv2.warpAffine(image_HWC, map_23, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(zoomed, np.float32)


def _zoom_of(side: int, factor: float) -> tuple[float, float]:
    """How far one pixel of the outcome reaches in the image, and where its first pixel lies."""
    taken = math.ceil(side / factor)
    made = max(round(taken * factor), side)
    gain = (taken - 1) / (made - 1)
    return gain, (side - taken) // 2 + (made - side) // 2 * gain
