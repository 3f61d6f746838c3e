"""Color of many small images at once: Lab moments, hue, saturation, colorfulness, edges, histogram.

Images are stacked into tall strips so that one OpenCV call converts thousands of them, and every
per-region average of a chunk is one matrix product with the regions' pixel weights.

Shape legend: N images, n images of a chunk, H height, W width, P = H*W pixels, Q pixel maps,
R regions that are summed (ring, center), F features.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float32Array, Float64Array, UInt8Array

REGIONS = ("whole", "ring", "center")
FEATURES = (
    "lightness_mean",  # CIELAB L*, 0..100
    "lightness_sd",
    "a_mean",  # CIELAB a*: green (-) to red (+)
    "a_sd",
    "b_mean",  # CIELAB b*: blue (-) to yellow (+)
    "b_sd",
    "hue_cos",  # HSV hue weighted by saturation: +1 all red, -1 all cyan
    "hue_sin",  # +1 all yellow-green (90 degrees), -1 all violet (270 degrees)
    "saturation",  # HSV, 0..1
    "colorfulness",
    "edge_density",  # share of pixels on an edge, 0..1
)
HISTOGRAM_SHAPE = (4, 8, 8)  # bins of L*, a*, b*
EDGE_THRESHOLD = 128  # L1 norm of the 3x3 Sobel gradient; a step of 32 gray levels gives 128
GRAY_CHROMA = 0.5  # CIELAB units; below it a hue is rounding noise
CHUNK_PIXELS = 1 << 18  # a chunk's maps then stay near the CPU's caches
DECIMALS = 4  # ranks must not be decided by float32 rounding noise
_SMALLEST_SIDE = 3


class FeatureName(NamedTuple):
    """Which column of the feature matrix is which."""

    region: str
    feature: str


class _Maps(NamedTuple):
    """Rows of the stack of pixel maps; the squares of the first five follow at `SQUARES`."""

    lightness: int = 0
    a: int = 1
    b: int = 2
    red_green: int = 3
    yellow_blue: int = 4
    squares: int = 5
    saturation: int = 10
    hue_cos: int = 11
    hue_sin: int = 12
    edge: int = 13


_MAP = _Maps()
_N_MAPS = 14
_HUE_ANGLE = np.arange(256) * (2 * np.pi / 256)  # HSV_FULL spreads the circle over 256 codes
_COS = np.cos(_HUE_ANGLE).astype(np.float32)
_SIN = np.sin(_HUE_ANGLE).astype(np.float32)
# a*, b* of photographs sit near 0: bins of 12 units from -48 to 48, open at both ends.
_CHROMA_BIN = np.clip((np.arange(256) - 128 + 48) // 12, 0, 7)


def ring_mask(height: int, width: int) -> BoolArray:
    """H x W, True on the border ring, which is max(1, side // 8) pixels wide."""
    ring = max(1, min(height, width) // 8)
    mask = np.ones((height, width), bool)
    mask[ring : height - ring, ring : width - ring] = False
    return mask


def ring_lightness(images_NHW3: UInt8Array) -> Float64Array:
    """Mean CIELAB L* (0 black .. 100 white) of each image's border ring, N values.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels.
    """
    return _ring_lab_means(images_NHW3)[:, 0]


def ring_hue(images_NHW3: UInt8Array) -> Float64Array:
    """Chroma-weighted circular mean of the CIELAB hue of each border ring, degrees in [0, 360).

    The weighted resultant of unit hue vectors (a, b)/C with weights C is the plain sum of (a, b), so
    the angle of the mean (a, b) is the mean hue. Gray rings have no hue; they get 0.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels.
    """
    means_N3 = _ring_lab_means(images_NHW3)
    degrees = np.degrees(np.arctan2(means_N3[:, 2], means_N3[:, 1])) % 360.0
    degrees[degrees >= 360.0] = 0.0  # the remainder of a tiny negative angle rounds to 360
    degrees[np.hypot(means_N3[:, 1], means_N3[:, 2]) < GRAY_CHROMA] = 0.0
    return degrees


def color_features(
    images_NHW3: UInt8Array, *, chunk: int | None = None
) -> tuple[Float32Array, list[FeatureName]]:
    """The features of `FEATURES` for the whole image, its border ring and its center.

    Args:
        images_NHW3: uint8 RGB, may be a memory map; it is read chunk by chunk.
        chunk: images read at a time; None = about 260,000 pixels.

    Returns:
        N x F features, and the name of each column.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels.
    Source: colorfulness by Hasler and Suesstrunk 2003 (Measuring colourfulness in natural images).
    """
    _check_images(images_NHW3)
    height, width = images_NHW3.shape[1:3]
    names = [FeatureName(region, feature) for region in REGIONS for feature in FEATURES]
    features_NF = np.zeros((len(images_NHW3), len(names)), np.float32)
    ring_P = ring_mask(height, width).ravel()
    weights_PR = np.stack([ring_P / ring_P.sum(), ~ring_P / (~ring_P).sum()], axis=1).astype(np.float32)
    ring_share = float(ring_P.mean())

    def fill(rows: slice) -> None:
        maps_QnP = _pixel_maps(images_NHW3[rows])
        means_QnR = (maps_QnP.reshape(-1, height * width) @ weights_PR).reshape(_N_MAPS, -1, 2)
        ring_Qn, center_Qn = means_QnR[..., 0].astype(np.float64), means_QnR[..., 1].astype(np.float64)
        whole_Qn = ring_share * ring_Qn + (1 - ring_share) * center_Qn
        parts = [_region_features(means_Qn) for means_Qn in (whole_Qn, ring_Qn, center_Qn)]
        features_NF[rows] = np.round(np.concatenate(parts, axis=1), DECIMALS)

    _for_each_chunk(fill, images_NHW3, chunk)
    return features_NF, names


def lab_histogram(images_NHW3: UInt8Array, *, chunk: int | None = None) -> Float32Array:
    """Square roots of each image's 4 x 8 x 8 CIELAB histogram shares, N x 256.

    The square root turns Euclidean distance into the Hellinger distance, which is fair to rare colors.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels.
    """
    _check_images(images_NHW3)
    n_bins = int(np.prod(HISTOGRAM_SHAPE))
    n_pixels = images_NHW3.shape[1] * images_NHW3.shape[2]
    histogram_NB = np.zeros((len(images_NHW3), n_bins), np.float32)

    def fill(rows: slice) -> None:
        images = images_NHW3[rows]
        lab_nP3 = _convert(images, cv2.COLOR_RGB2Lab).reshape(len(images), n_pixels, 3)
        index_nP = (lab_nP3[..., 0] >> 6).astype(np.int64) * 64
        index_nP += _CHROMA_BIN[lab_nP3[..., 1]] * 8
        index_nP += _CHROMA_BIN[lab_nP3[..., 2]]
        index_nP += np.arange(len(images))[:, None] * n_bins
        counts = np.bincount(index_nP.ravel(), minlength=len(images) * n_bins)
        histogram_NB[rows] = np.sqrt(counts.reshape(-1, n_bins) / n_pixels)

    _for_each_chunk(fill, images_NHW3, chunk)
    return histogram_NB


def _ring_lab_means(images_NHW3: UInt8Array) -> Float64Array:
    """Mean L*, a*, b* of each border ring, N x 3: not rounded to 8 bits, good to about 0.2."""
    _check_images(images_NHW3)
    ring = ring_mask(*images_NHW3.shape[1:3])
    means_N3 = np.zeros((len(images_NHW3), 3))

    def fill(rows: slice) -> None:
        pixels = np.asarray(images_NHW3[rows])[:, ring].astype(np.float32) * np.float32(1 / 255)
        means_N3[rows] = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab).mean(axis=1, dtype=np.float64)

    _for_each_chunk(fill, images_NHW3, None)
    return means_N3


def _pixel_maps(images_nHW3: UInt8Array) -> Float32Array:
    """All per-pixel quantities whose region means make the features, Q x n x P."""
    n, height, width = images_nHW3.shape[:3]
    maps_QnP: Float32Array = np.empty((_N_MAPS, n, height * width), np.float32)
    lab = _convert(images_nHW3, cv2.COLOR_RGB2Lab).reshape(n, -1, 3)
    hsv = _convert(images_nHW3, cv2.COLOR_RGB2HSV_FULL).reshape(n, -1, 3)
    rgb = np.asarray(images_nHW3).reshape(n, -1, 3)
    # Centered at mid-gray: squares of smaller numbers lose less to float32 rounding.
    np.multiply(lab[..., 0], np.float32(100 / 255), out=maps_QnP[_MAP.lightness])
    maps_QnP[_MAP.lightness] -= 50
    np.subtract(lab[..., 1], np.float32(128), out=maps_QnP[_MAP.a])
    np.subtract(lab[..., 2], np.float32(128), out=maps_QnP[_MAP.b])
    red, green, blue = (rgb[..., i].astype(np.float32) for i in range(3))
    np.subtract(red, green, out=maps_QnP[_MAP.red_green])
    np.add(red, green, out=maps_QnP[_MAP.yellow_blue])
    maps_QnP[_MAP.yellow_blue] *= 0.5
    maps_QnP[_MAP.yellow_blue] -= blue
    np.square(maps_QnP[: _MAP.squares], out=maps_QnP[_MAP.squares : _MAP.saturation])
    np.multiply(hsv[..., 1], np.float32(1 / 255), out=maps_QnP[_MAP.saturation])
    np.multiply(_COS[hsv[..., 0]], maps_QnP[_MAP.saturation], out=maps_QnP[_MAP.hue_cos])
    np.multiply(_SIN[hsv[..., 0]], maps_QnP[_MAP.saturation], out=maps_QnP[_MAP.hue_sin])
    maps_QnP[_MAP.edge] = _edges(images_nHW3).reshape(n, -1)
    return maps_QnP


def _edges(images_nHW3: UInt8Array) -> BoolArray:
    """n x H x W, True where the Sobel gradient of gray is steep.

    Each image's first and last row is repeated in the strip, so that neighbors in it never mix.
    """
    n, height, width = images_nHW3.shape[:3]
    gray = _convert(images_nHW3, cv2.COLOR_RGB2GRAY).reshape(n, height, width)
    strip: UInt8Array = np.empty((n, height + 2, width), np.uint8)
    strip[:, 1:-1] = gray
    strip[:, 0], strip[:, -1] = gray[:, 0], gray[:, -1]
    dx, dy = cv2.spatialGradient(strip.reshape(-1, width), borderType=cv2.BORDER_REPLICATE)
    steep: BoolArray = np.abs(dx) + np.abs(dy) >= EDGE_THRESHOLD
    return steep.reshape(n, height + 2, width)[:, 1:-1]


def _region_features(means_Qn: Float64Array) -> Float64Array:
    """n x len(FEATURES) from one region's mean of every pixel map."""
    mean_squares = means_Qn[_MAP.squares : _MAP.saturation]
    variance = mean_squares - means_Qn[: _MAP.squares] ** 2
    # What cancellation leaves of a constant region is noise that could still separate two classes.
    sd = np.sqrt(np.where(variance > 1e-6 * mean_squares, variance, 0))
    saturation = means_Qn[_MAP.saturation]
    weight = np.where(saturation > 0, saturation, 1)  # gray: no hue, cos = sin = 0
    opponent_mean = np.hypot(means_Qn[_MAP.red_green], means_Qn[_MAP.yellow_blue])
    opponent_sd = np.hypot(sd[_MAP.red_green], sd[_MAP.yellow_blue])
    columns = (
        means_Qn[_MAP.lightness] + 50,
        sd[_MAP.lightness],
        means_Qn[_MAP.a],
        sd[_MAP.a],
        means_Qn[_MAP.b],
        sd[_MAP.b],
        means_Qn[_MAP.hue_cos] / weight,
        means_Qn[_MAP.hue_sin] / weight,
        saturation,
        opponent_sd + 0.3 * opponent_mean,
        means_Qn[_MAP.edge],
    )
    return np.stack(columns, axis=1)


def _convert(images_nHW3: UInt8Array, code: int) -> UInt8Array:
    """One color conversion of all images, laid out as one tall strip."""
    strip = np.ascontiguousarray(images_nHW3).reshape(-1, images_nHW3.shape[2], 3)
    return np.asarray(cv2.cvtColor(strip, code), np.uint8)


def _for_each_chunk(fill: Callable[[slice], None], images_NHW3: UInt8Array, chunk: int | None) -> None:
    """Call `fill` for consecutive rows on a few threads; each call writes rows of its own."""
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk = {chunk} images: at least 1 is needed.")
    size = chunk or max(1, CHUNK_PIXELS // (images_NHW3.shape[1] * images_NHW3.shape[2]))
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(fill, _slices(len(images_NHW3), size)):
            pass


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _check_images(images_NHW3: UInt8Array) -> None:
    shape = images_NHW3.shape
    if images_NHW3.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or min(shape[1:3]) < _SMALLEST_SIDE:
        raise InputError(
            f"images of shape {shape} and type {images_NHW3.dtype}: expected uint8 RGB, N x H x W x 3 "
            f"with sides of at least {_SMALLEST_SIDE} pixels. Pack the dataset again with `dvc repro`."
        )
