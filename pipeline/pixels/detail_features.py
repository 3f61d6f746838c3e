"""Detail of many small images at once: spreads, edges and colorfulness of pixels.

Not color: blurring, sharpening, noise, JPEG and contrast change these while every color stays, so what
they tell about a class is named detail. Every per-region average of a chunk is one matrix product of the
pixel maps with the regions' pixel weights.

Shape legend: N images, H height, W width, P = H*W pixels, Q pixel maps, F features.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float32Array, Float64Array, UInt8Array
from pipeline.pixels.color_features import REGIONS, FeatureName, ring_mask
from pipeline.pixels.maps import MAP, N_MAPS, check_images, for_each_chunk, pixel_maps

DETAIL_FEATURES = (
    "lightness_sd",  # CIELAB units
    "a_sd",
    "b_sd",
    "colorfulness",
    "edge_density",  # share of pixels on an edge, 0..1
)
DECIMALS = 4  # ranks must not be decided by float32 rounding noise


def detail_features(
    images_NHW3: UInt8Array, *, chunk: int | None = None
) -> tuple[Float32Array, list[FeatureName]]:
    """The features of `DETAIL_FEATURES` for the whole image, its border ring and the rest (center).

    Args:
        images_NHW3: uint8 RGB, may be a memory map; it is read chunk by chunk.
        chunk: images read at a time; None = about 260,000 pixels.

    Returns:
        N x F features, and the name of each column.

    Raises:
        InputError: not uint8 RGB images of at least 3 x 3 pixels.
    Source: colorfulness by Hasler and Suesstrunk 2003 (Measuring colourfulness in natural images).
    """
    check_images(images_NHW3)
    height, width = images_NHW3.shape[1:3]
    names = [FeatureName(region, feature) for region in REGIONS for feature in DETAIL_FEATURES]
    features_NF = np.zeros((len(images_NHW3), len(names)), np.float32)
    ring_P = ring_mask(height, width).ravel()
    weights_P2 = np.stack([ring_P / ring_P.sum(), ~ring_P / (~ring_P).sum()], axis=1).astype(np.float32)
    ring_share = float(ring_P.mean())

    def fill(rows: slice) -> None:
        maps_QnP = pixel_maps(images_NHW3[rows])
        means_Qn2 = (maps_QnP.reshape(-1, height * width) @ weights_P2).reshape(N_MAPS, -1, 2)
        ring_Qn, center_Qn = means_Qn2[..., 0].astype(np.float64), means_Qn2[..., 1].astype(np.float64)
        whole_Qn = ring_share * ring_Qn + (1 - ring_share) * center_Qn
        parts = [_region_details(means_Qn) for means_Qn in (whole_Qn, ring_Qn, center_Qn)]
        features_NF[rows] = np.round(np.concatenate(parts, axis=1), DECIMALS)

    for_each_chunk(fill, images_NHW3, chunk)
    return features_NF, names


def _region_details(means_Qn: Float64Array) -> Float64Array:
    """n x len(DETAIL_FEATURES) from one region's mean of every pixel map."""
    mean_squares = means_Qn[MAP.squares : MAP.edge]
    variance = mean_squares - means_Qn[: MAP.squares] ** 2
    # What cancellation leaves of a constant region is noise that could still separate two classes; how much
    # it is depends on the order of sums, which is the processor's.
    sd = np.sqrt(np.where(variance > 2e-5 * mean_squares, variance, 0))
    opponent_mean = np.hypot(means_Qn[MAP.red_green], means_Qn[MAP.yellow_blue])
    opponent_sd = np.hypot(sd[MAP.red_green], sd[MAP.yellow_blue])
    columns = (
        sd[MAP.lightness],
        sd[MAP.a],
        sd[MAP.b],
        opponent_sd + 0.3 * opponent_mean,
        means_Qn[MAP.edge],
    )
    return np.stack(columns, axis=1)
