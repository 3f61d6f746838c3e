"""Color of many small images at once, blind to sharpness, noise and compression.

Every feature is a function of average colors: of a region, or of the cells of a coarse grid. Blurring,
sharpening, resampling, noise and JPEG move pixels around their average and leave it where it is. What
they do change (spreads, edges, how colorful single pixels are) is in `detail_features`.

Shape legend: N images, n images of a chunk, H height, W width, C grid cells, F features.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.types import BoolArray, Float32Array, Float64Array, UInt8Array
from pipeline.pixels.maps import check_images, check_masks, for_each_chunk, mask_regions

REGIONS = ("whole", "ring", "center")
MASK_REGIONS = ("background", "foreground")  # where masks are known
COLOR_FEATURES = (
    "lightness_mean",  # CIELAB L* of the region's average color, 0..100
    "a_mean",  # its a*: green (-) to red (+)
    "b_mean",  # its b*: blue (-) to yellow (+)
    "hue_cos",  # cosine of its hue, less where it is nearly gray: +1 red, -1 green
    "hue_sin",  # +1 yellow, -1 blue
    "chroma",  # its distance from gray, 0..about 130
    "dominant_cos",  # as hue_cos, of the most colorful cells
    "dominant_sin",
)
GRID = 8  # cells on a side; the outermost ones are the ring
GRAY_CHROMA = 0.5  # CIELAB units; below it a hue is rounding noise
SOFT_CHROMA = 5.0  # CIELAB units: at this chroma a hue counts half
_DOMINANCE = 4  # power of a cell's chroma that weighs its hue
LEAST_SHARE = 0.01  # of the image's pixels; smaller regions of a mask are not measured
DECIMALS = 3  # ranks must not be decided by float32 rounding noise


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


def color_features(
    images_NHW3: UInt8Array, masks_NHW: UInt8Array | None = None, *, chunk: int | None = None
) -> tuple[Float32Array, list[FeatureName]]:
    """The features of `COLOR_FEATURES` for the whole image, its border ring and its center.

    The ring is the outermost cells of an 8 x 8 grid, the center the innermost 4 x 4: a cell lies between
    them, so that blurring does not carry color from one to the other. With masks also for background
    and foreground. The background starts a rim away from the foreground (see `mask_regions`). An image
    whose mask leaves a region less than 1 % of its pixels has the whole image's values there: it then
    neither adds to that region's evidence nor is lost.

    Args:
        images_NHW3: uint8 RGB, may be a memory map; it is read chunk by chunk.
        masks_NHW: above 127 on the foreground, may be a memory map; None = no such regions.
        chunk: images read at a time; None = about 260,000 pixels.

    Returns:
        N x F features, and the name of each column.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels, or masks of another shape.
    """
    check_images(images_NHW3)
    if masks_NHW is not None:
        check_masks(masks_NHW, images_NHW3)
    regions = REGIONS if masks_NHW is None else REGIONS + MASK_REGIONS
    names = [FeatureName(region, feature) for region in regions for feature in COLOR_FEATURES]
    features_NF = np.zeros((len(images_NHW3), len(names)), np.float32)
    weights_RC = _region_weights()

    def fill(rows: slice) -> None:
        images = np.asarray(images_NHW3[rows]).astype(np.float32) * np.float32(1 / 255)
        cells_nC3 = _cell_means(images)
        parts = [_region_colors(cells_nC3, np.broadcast_to(w, cells_nC3.shape[:2])) for w in weights_RC]
        if masks_NHW is not None:
            parts += _mask_region_colors(images, masks_NHW[rows], parts[0])
        features_NF[rows] = np.round(np.concatenate(parts, axis=1), DECIMALS)

    for_each_chunk(fill, images_NHW3, chunk)
    return features_NF, names


def _region_weights() -> Float32Array:
    """1 for the cells of whole, ring and center, 3 x C."""
    weights_RGG = np.zeros((3, GRID, GRID), np.float32)
    weights_RGG[:2] = 1
    weights_RGG[1, 1:-1, 1:-1] = 0
    weights_RGG[2, 2:-2, 2:-2] = 1
    return weights_RGG.reshape(3, -1)


def _cell_means(values_nHWX: Float32Array) -> Float32Array:
    """Average of each cell of the grid, n x C x X; images are stacked into one tall strip."""
    n, height, width, channels = values_nHWX.shape
    if min(height, width) < GRID:  # averaging needs at least a pixel a cell
        return _cell_means(values_nHWX.repeat(GRID, 1).repeat(GRID, 2))
    strip = np.ascontiguousarray(values_nHWX).reshape(n * height, width, channels)
    if n == 0:
        return np.zeros((0, GRID * GRID, channels), np.float32)
    means = cv2.resize(strip, (GRID, n * GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32).reshape(n, GRID * GRID, channels)


def _region_colors(cells_nC3: Float32Array, weights_nC: Float32Array) -> Float64Array:
    """n x len(COLOR_FEATURES) of regions that consist of cells with these weights."""
    shares_nC = weights_nC / np.maximum(weights_nC.sum(axis=1, keepdims=True), 1e-9)
    mean_n3 = _lab((shares_nC[..., None] * cells_nC3).sum(axis=1))
    lab_nC3 = _lab(cells_nC3)
    chroma_nC = np.hypot(lab_nC3[..., 1], lab_nC3[..., 2])
    # a tiny share of every cell, so that gray images divide by something
    colorful_nC = shares_nC * (chroma_nC**_DOMINANCE + 1e-6)
    total_n1 = np.maximum(colorful_nC.sum(axis=1, keepdims=True), 1e-12)
    dominant_n3 = (colorful_nC[..., None] * lab_nC3).sum(axis=1) / total_n1
    return np.column_stack(
        [mean_n3, _soft_hue(mean_n3), np.hypot(mean_n3[:, 1], mean_n3[:, 2]), _soft_hue(dominant_n3)]
    )


def _lab(rgb: Float32Array) -> Float64Array:
    """CIELAB of RGB in 0..1, last axis; what is gray up to rounding is gray."""
    row = np.ascontiguousarray(rgb, np.float32).reshape(1, -1, 3)
    lab: Float64Array = np.zeros(rgb.shape, np.float64)
    if row.size:
        lab[:] = cv2.cvtColor(row, cv2.COLOR_RGB2Lab).reshape(rgb.shape)
    lab[np.hypot(lab[..., 1], lab[..., 2]) < GRAY_CHROMA, 1:] = 0.0
    return lab


def _soft_hue(lab_n3: Float64Array) -> Float64Array:
    """Cosine and sine of the hue times C / (C + `SOFT_CHROMA`), n x 2: nearly gray colors have little hue."""
    chroma_n = np.hypot(lab_n3[:, 1], lab_n3[:, 2])
    return lab_n3[:, 1:] / (chroma_n + SOFT_CHROMA)[:, None]


def _mask_region_colors(
    images_nHW3: Float32Array, masks_nHW: UInt8Array, whole_nF: Float64Array
) -> list[Float64Array]:
    """n x len(COLOR_FEATURES) of background and foreground; the whole image's where one is too small."""
    found = []
    for region_nHW in mask_regions(masks_nHW):
        inside_nHW1 = region_nHW[..., None].astype(np.float32)
        sums_nC4 = _cell_means(np.concatenate([images_nHW3 * inside_nHW1, inside_nHW1], axis=3))
        weights_nC = sums_nC4[..., 3]
        colors_nC3 = np.asarray(sums_nC4[..., :3] / np.maximum(weights_nC, 1e-6)[..., None], np.float32)
        is_large_n = region_nHW.mean(axis=(1, 2)) >= LEAST_SHARE
        found.append(np.where(is_large_n[:, None], _region_colors(colors_nC3, weights_nC), whole_nF))
    return found
