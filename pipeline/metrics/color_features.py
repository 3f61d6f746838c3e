"""Color of many small images at once: Lab moments, hue, saturation, colorfulness, edges, histogram.

Every per-region average of a chunk is one matrix product of the pixel maps with the regions' pixel
weights; regions that masks draw have weights of their own per image.

Shape legend: N images, n images of a chunk, H height, W width, P = H*W pixels, Q pixel maps,
R regions that are summed, F features, B bins.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.types import BoolArray, Float32Array, Float64Array, UInt8Array
from pipeline.metrics.pixel_maps import (
    MAP,
    N_MAPS,
    check_images,
    check_masks,
    convert,
    for_each_chunk,
    mask_regions,
    pixel_maps,
)

REGIONS = ("whole", "ring", "center")
MASK_REGIONS = ("background", "foreground")  # where masks are known
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
GRAY_CHROMA = 0.5  # CIELAB units; below it a hue is rounding noise
LEAST_SHARE = 0.01  # of the image's pixels; smaller regions of a mask are not measured
DECIMALS = 4  # ranks must not be decided by float32 rounding noise
# a*, b* of photographs sit near 0: bins of 12 units from -48 to 48, open at both ends.
_CHROMA_BIN = np.clip((np.arange(256) - 128 + 48) // 12, 0, 7)


class FeatureName(NamedTuple):
    """Which column of the feature matrix is which."""

    region: str
    feature: str


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
    images_NHW3: UInt8Array, masks_NHW: UInt8Array | None = None, *, chunk: int | None = None
) -> tuple[Float32Array, list[FeatureName]]:
    """The features of `FEATURES` for the whole image, its border ring and its center.

    With masks also for background and foreground. The background starts a rim away from the
    foreground (see `mask_regions`). An image whose mask leaves a region less than 1 % of its pixels
    has the whole image's values there: it then neither adds to that region's evidence nor is lost.

    Args:
        images_NHW3: uint8 RGB, may be a memory map; it is read chunk by chunk.
        masks_NHW: above 127 on the foreground, may be a memory map; None = no such regions.
        chunk: images read at a time; None = about 260,000 pixels.

    Returns:
        N x F features, and the name of each column.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels, or masks of another shape.
    Source: colorfulness by Hasler and Suesstrunk 2003 (Measuring colourfulness in natural images).
    """
    check_images(images_NHW3)
    if masks_NHW is not None:
        check_masks(masks_NHW, images_NHW3)
    height, width = images_NHW3.shape[1:3]
    regions = REGIONS if masks_NHW is None else REGIONS + MASK_REGIONS
    names = [FeatureName(region, feature) for region in regions for feature in FEATURES]
    features_NF = np.zeros((len(images_NHW3), len(names)), np.float32)
    ring_P = ring_mask(height, width).ravel()
    weights_PR = np.stack([ring_P / ring_P.sum(), ~ring_P / (~ring_P).sum()], axis=1).astype(np.float32)
    ring_share = float(ring_P.mean())

    def fill(rows: slice) -> None:
        maps_QnP = pixel_maps(images_NHW3[rows])
        means_QnR = (maps_QnP.reshape(-1, height * width) @ weights_PR).reshape(N_MAPS, -1, 2)
        ring_Qn, center_Qn = means_QnR[..., 0].astype(np.float64), means_QnR[..., 1].astype(np.float64)
        whole_Qn = ring_share * ring_Qn + (1 - ring_share) * center_Qn
        parts = [_region_features(means_Qn) for means_Qn in (whole_Qn, ring_Qn, center_Qn)]
        if masks_NHW is not None:
            parts += _mask_region_features(maps_QnP, masks_NHW[rows], parts[0])
        features_NF[rows] = np.round(np.concatenate(parts, axis=1), DECIMALS)

    for_each_chunk(fill, images_NHW3, chunk)
    return features_NF, names


def lab_histogram(images_NHW3: UInt8Array, *, chunk: int | None = None) -> Float32Array:
    """Square roots of each image's 4 x 8 x 8 CIELAB histogram shares, N x 256.

    The square root turns Euclidean distance into the Hellinger distance, which is fair to rare colors.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels.
    """
    check_images(images_NHW3)
    n_bins = int(np.prod(HISTOGRAM_SHAPE))
    n_pixels = images_NHW3.shape[1] * images_NHW3.shape[2]
    histogram_NB = np.zeros((len(images_NHW3), n_bins), np.float32)

    def fill(rows: slice) -> None:
        images = images_NHW3[rows]
        lab_nP3 = convert(images, cv2.COLOR_RGB2Lab).reshape(len(images), n_pixels, 3)
        index_nP = (lab_nP3[..., 0] >> 6).astype(np.int64) * 64
        index_nP += _CHROMA_BIN[lab_nP3[..., 1]] * 8
        index_nP += _CHROMA_BIN[lab_nP3[..., 2]]
        index_nP += np.arange(len(images))[:, None] * n_bins
        counts = np.bincount(index_nP.ravel(), minlength=len(images) * n_bins)
        histogram_NB[rows] = np.sqrt(counts.reshape(-1, n_bins) / n_pixels)

    for_each_chunk(fill, images_NHW3, chunk)
    return histogram_NB


def _ring_lab_means(images_NHW3: UInt8Array) -> Float64Array:
    """Mean L*, a*, b* of each border ring, N x 3: not rounded to 8 bits, good to about 0.2."""
    check_images(images_NHW3)
    ring = ring_mask(*images_NHW3.shape[1:3])
    means_N3 = np.zeros((len(images_NHW3), 3))

    def fill(rows: slice) -> None:
        pixels = np.asarray(images_NHW3[rows])[:, ring].astype(np.float32) * np.float32(1 / 255)
        means_N3[rows] = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab).mean(axis=1, dtype=np.float64)

    for_each_chunk(fill, images_NHW3, None)
    return means_N3


def _mask_region_features(
    maps_QnP: Float32Array, masks_nHW: UInt8Array, whole_nF: Float64Array
) -> list[Float64Array]:
    """n x len(FEATURES) of background and foreground; the whole image's values where one is too small."""
    n, n_pixels = len(masks_nHW), maps_QnP.shape[2]
    weights_nRP = np.stack([region.reshape(n, -1) for region in mask_regions(masks_nHW)], axis=1)
    counts_nR = weights_nRP.sum(axis=2)
    sums_nQR = maps_QnP.transpose(1, 0, 2) @ weights_nRP.astype(np.float32).transpose(0, 2, 1)
    means_nQR = sums_nQR.astype(np.float64) / np.maximum(counts_nR, 1)[:, None, :]
    is_large_nR = counts_nR >= LEAST_SHARE * n_pixels
    return [
        np.where(is_large_nR[:, [r]], _region_features(means_nQR[..., r].T), whole_nF)
        for r in range(len(MASK_REGIONS))
    ]


def _region_features(means_Qn: Float64Array) -> Float64Array:
    """n x len(FEATURES) from one region's mean of every pixel map."""
    mean_squares = means_Qn[MAP.squares : MAP.saturation]
    variance = mean_squares - means_Qn[: MAP.squares] ** 2
    # What cancellation leaves of a constant region is noise that could still separate two classes.
    sd = np.sqrt(np.where(variance > 1e-6 * mean_squares, variance, 0))
    saturation = means_Qn[MAP.saturation]
    weight = np.where(saturation > 0, saturation, 1)  # gray: no hue, cos = sin = 0
    opponent_mean = np.hypot(means_Qn[MAP.red_green], means_Qn[MAP.yellow_blue])
    opponent_sd = np.hypot(sd[MAP.red_green], sd[MAP.yellow_blue])
    columns = (
        means_Qn[MAP.lightness] + 50,
        sd[MAP.lightness],
        means_Qn[MAP.a],
        sd[MAP.a],
        means_Qn[MAP.b],
        sd[MAP.b],
        means_Qn[MAP.hue_cos] / weight,
        means_Qn[MAP.hue_sin] / weight,
        saturation,
        opponent_sd + 0.3 * opponent_mean,
        means_Qn[MAP.edge],
    )
    return np.stack(columns, axis=1)
