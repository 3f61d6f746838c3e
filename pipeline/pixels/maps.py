"""Per-pixel quantities of many small images at once, and the chunks they are made in.

Images are stacked into tall strips so that one OpenCV call converts thousands of them.

Shape legend: n images of a chunk, N images, H height, W width, P = H*W pixels, Q pixel maps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float32Array, UInt8Array

EDGE_THRESHOLD = 128  # L1 norm of the 3x3 Sobel gradient; a step of 32 gray levels gives 128
LEAST_OPACITY = 0.05  # of an object: less is what a matting network gives where it sees none
FOREGROUND = 127  # mask values above it; the rest of a value is how opaque the object is there
CHUNK_PIXELS = 1 << 18  # a chunk's maps then stay near the CPU's caches
_SMALLEST_SIDE = 3


class Maps(NamedTuple):
    """Rows of the stack of pixel maps; the squares of the first five follow at `squares`."""

    lightness: int = 0
    a: int = 1
    b: int = 2
    red_green: int = 3
    yellow_blue: int = 4
    squares: int = 5
    edge: int = 10


MAP = Maps()
N_MAPS = 11


def pixel_maps(images_nHW3: UInt8Array) -> Float32Array:
    """All per-pixel quantities whose region means make the features, Q x n x P."""
    n, height, width = images_nHW3.shape[:3]
    maps_QnP: Float32Array = np.empty((N_MAPS, n, height * width), np.float32)
    lab = convert(images_nHW3, cv2.COLOR_RGB2Lab).reshape(n, -1, 3)
    rgb = np.asarray(images_nHW3).reshape(n, -1, 3)
    # Centered at mid-gray: squares of smaller numbers lose less to float32 rounding.
    np.multiply(lab[..., 0], np.float32(100 / 255), out=maps_QnP[MAP.lightness])
    maps_QnP[MAP.lightness] -= 50
    np.subtract(lab[..., 1], np.float32(128), out=maps_QnP[MAP.a])
    np.subtract(lab[..., 2], np.float32(128), out=maps_QnP[MAP.b])
    red, green, blue = (rgb[..., i].astype(np.float32) for i in range(3))
    np.subtract(red, green, out=maps_QnP[MAP.red_green])
    np.add(red, green, out=maps_QnP[MAP.yellow_blue])
    maps_QnP[MAP.yellow_blue] *= 0.5
    maps_QnP[MAP.yellow_blue] -= blue
    np.square(maps_QnP[: MAP.squares], out=maps_QnP[MAP.squares : MAP.edge])
    maps_QnP[MAP.edge] = _edges(images_nHW3).reshape(n, -1)
    return maps_QnP


def mask_regions(masks_nHW: UInt8Array) -> tuple[BoolArray, BoolArray]:
    """Background and foreground pixels, n x H x W each.

    The rim of max(1, side // 32) pixels around the foreground belongs to neither: resized masks stop
    short of the object, and its outline must not count as an edge of the background.
    """
    n, height, width = masks_nHW.shape
    rim = max(1, min(height, width) // 32)
    is_foreground: BoolArray = np.asarray(masks_nHW) > FOREGROUND
    strip = np.zeros((n, height + rim, width), np.uint8)  # rows of zeros keep neighbors apart
    strip[:, :height] = is_foreground
    kernel = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    widened = cv2.dilate(strip.reshape(-1, width), kernel).reshape(strip.shape)[:, :height]
    is_background: BoolArray = widened == 0
    return is_background, is_foreground


def encode_opacity(opacity: Float32Array) -> UInt8Array:
    """Opacities of an image in [0, 1] as its mask: foreground is above half of the largest opacity.

    So an object that is nowhere opaque has a foreground all the same. Masks of 0 and 1 become 0 and 255.
    """
    is_foreground = opacity > max(float(opacity.max(initial=0)) / 2, LEAST_OPACITY)
    steps = np.rint(opacity.clip(0, 1) * FOREGROUND).astype(np.uint8)
    encoded: UInt8Array = np.where(is_foreground, steps + np.uint8(FOREGROUND + 1), steps)
    return encoded


def opacity_of(masks: UInt8Array) -> Float32Array:
    """What `encode_opacity` was given: 0 and 1 of masks of 0 and 255."""
    steps = np.where(masks > FOREGROUND, masks - np.uint8(FOREGROUND + 1), masks)
    opacity: Float32Array = steps.astype(np.float32) / np.float32(FOREGROUND)
    return opacity


def convert(images_nHW3: UInt8Array, code: int) -> UInt8Array:
    """One OpenCV color conversion of all images, laid out as one tall strip."""
    strip = np.ascontiguousarray(images_nHW3).reshape(-1, images_nHW3.shape[2], 3)
    return np.asarray(cv2.cvtColor(strip, code), np.uint8)


def for_each_chunk(fill: Callable[[slice], None], images_NHW3: UInt8Array, chunk: int | None) -> None:
    """Call `fill` for consecutive rows on a few threads; each call writes rows of its own.

    Raises:
        InputError: `chunk` (images at a time; None = about 260,000 pixels) is below 1.
    """
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk = {chunk} images: at least 1 is needed.")
    size = chunk or max(1, CHUNK_PIXELS // (images_NHW3.shape[1] * images_NHW3.shape[2]))
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(fill, _slices(len(images_NHW3), size)):
            pass


def check_images(images_NHW3: UInt8Array) -> None:
    """Raise `InputError` unless these are uint8 RGB images of at least 3 x 3 pixels."""
    shape = images_NHW3.shape
    if images_NHW3.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or min(shape[1:3]) < _SMALLEST_SIDE:
        raise InputError(
            f"images of shape {shape} and type {images_NHW3.dtype}: expected uint8 RGB, N x H x W x 3 "
            f"with sides of at least {_SMALLEST_SIDE} pixels. Pack the dataset again with `dvc repro`."
        )


def check_masks(masks_NHW: UInt8Array, images_NHW3: UInt8Array) -> None:
    """Raise `InputError` unless there is one uint8 mask per image, of the image's size."""
    if masks_NHW.dtype != np.uint8 or masks_NHW.shape != images_NHW3.shape[:3]:
        raise InputError(
            f"masks of shape {masks_NHW.shape} and type {masks_NHW.dtype}: expected uint8 of shape "
            f"{images_NHW3.shape[:3]}, one per image. Pack the dataset again with `dvc repro`."
        )


def _edges(images_nHW3: UInt8Array) -> BoolArray:
    """n x H x W, True where the Sobel gradient of gray is steep.

    Each image's first and last row is repeated in the strip, so that neighbors in it never mix.
    """
    n, height, width = images_nHW3.shape[:3]
    gray = convert(images_nHW3, cv2.COLOR_RGB2GRAY).reshape(n, height, width)
    strip: UInt8Array = np.empty((n, height + 2, width), np.uint8)
    strip[:, 1:-1] = gray
    strip[:, 0], strip[:, -1] = gray[:, 0], gray[:, -1]
    dx, dy = cv2.spatialGradient(strip.reshape(-1, width), borderType=cv2.BORDER_REPLICATE)
    steep: BoolArray = np.abs(dx) + np.abs(dy) >= EDGE_THRESHOLD
    return steep.reshape(n, height + 2, width)[:, 1:-1]


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
