"""How much of a map's energy lies on the foreground, and how much would by chance.

Shape legend: S models, N images, H height, W width, h w cells of the map before upsampling.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.core.types import Float32Array, Float64Array, Int64Array, UInt8Array
from pipeline.explain.cam.upsampling import upsampling_matrix
from pipeline.pixels.maps import FOREGROUND
from pipeline.records.base import Estimate
from pipeline.statistics.means import MIN_IMAGES, mean_variance_of, t_estimate, without_empty


def pull_masks(
    masks_NHW: UInt8Array, rows: Int64Array, cells: tuple[int, int], *, batch_size: int = 256
) -> tuple[Float64Array, Float64Array]:
    """Masks brought down to the map's cells, and each mask's area as a share of its image.

    Upsampling is linear, so Σ upsample(C)·M = Σ C·(Uᵀ M): pulling the masks down once gives the
    energy of every map in every mask without upsampling any map.

    Returns:
        pulled N x h x w (pixels of foreground that each cell lights, weighted), area N.
    """
    height, width = masks_NHW.shape[1:]
    up_H, up_W = upsampling_matrix(cells[0], height), upsampling_matrix(cells[1], width)
    pulled_Nhw = np.empty((len(rows), *cells))
    area_N = np.empty(len(rows))
    for i in range(0, len(rows), batch_size):
        masks = (masks_NHW[rows[i : i + batch_size]] > FOREGROUND).astype(np.float64)
        pulled_Nhw[i : i + batch_size] = up_H.T @ masks @ up_W
        area_N[i : i + batch_size] = masks.mean(axis=(1, 2))
    return pulled_Nhw, area_N


def energy_in_masks(
    maps_SNhw: Float32Array, pulled_Nhw: Float64Array, image_size: tuple[int, int]
) -> tuple[Float64Array, Float64Array]:
    """Share of each map's energy in its own mask, and the mean share in the other images' masks.

    ΣC·M/ΣC on maps upsampled to `image_size` (height, width). The second number is the exact mean
    over all ways to hand the map another image's mask: what a map that knows where objects usually
    are, but nothing of this image, would get. Both are NaN where the map is blank or the image's own
    mask is empty (empty masks are handed to nobody); the second also where there is one mask only.

    Returns:
        energy S x N, null S x N.
    """
    maps = maps_SNhw.astype(np.float64)
    h, w = pulled_Nhw.shape[1:]
    has_mask_N = pulled_Nhw.any(axis=(1, 2))
    n = np.count_nonzero(has_mask_N)
    ones_h = upsampling_matrix(h, image_size[0]).sum(axis=0)
    ones_w = upsampling_matrix(w, image_size[1]).sum(axis=0)
    total_SN = np.einsum("snij,i,j->sn", maps, ones_h, ones_w)
    own_SN = np.einsum("snij,nij->sn", maps, pulled_Nhw)
    all_SN = np.einsum("snij,ij->sn", maps, pulled_Nhw.sum(axis=0))
    total_SN = np.where(has_mask_N, total_SN, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return own_SN / total_SN, (all_SN - own_SN) / ((n - 1) * total_SN)


def estimate_lift(energy_SN: Float64Array, null_SN: Float64Array) -> Estimate | None:
    """Mean energy over mean null energy, with a 95 % interval for images and models.

    1 = no more on the foreground than on another image's mask. A ratio of means, not a mean of
    ratios: small masks have a null near 0. None where fewer than `MIN_IMAGES` have a map, or where
    the masks are empty.
    """
    energy_SN, null_SN = without_empty(energy_SN), without_empty(null_SN)
    if null_SN.shape[1] < MIN_IMAGES or np.nansum(null_SN) == 0:
        return None
    energy_N, null_N = np.nanmean(energy_SN, axis=0), np.nanmean(null_SN, axis=0)
    lift = float(energy_N.mean() / null_N.mean())
    # To first order the ratio's error is the mean of these: how each image pulls it.
    pull_N = (energy_N - lift * null_N) / null_N.mean()
    per_model = np.nanmean(energy_SN, axis=1) / np.maximum(np.nanmean(null_SN, axis=1), 1e-12)
    return t_estimate(
        lift,
        mean_variance_of(pull_N, per_model),
        n=len(pull_N),
        n_models=len(per_model),
        least=0.0,
        most=math.inf,
    )
