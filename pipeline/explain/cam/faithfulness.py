"""Do the pixels that a map ranks high carry the prediction: insertion and deletion.

Shape legend: S models, N images, H height, W width, h w cells of the map, K points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from pipeline.core.types import Float32Array, Float64Array, Int64Array, UInt8Array
from pipeline.explain.cam.upsampling import upsample_map
from pipeline.models.interface import Classifier
from pipeline.models.predict import to_pixels
from pipeline.records.base import Estimate
from pipeline.records.gradcam import Faithfulness
from pipeline.statistics.means import estimate_mean

BLUR = 0.25  # standard deviation of the blur, as a share of the image's side: no object survives it


class Scores(NamedTuple):
    """Insertion minus deletion area, -1..1, of three rankings; all S x N, NaN where the map is blank."""

    map_SN: Float64Array
    random_SN: Float64Array
    center_SN: Float64Array


def score_rankings(
    models: Sequence[Classifier],
    images_NHW3: UInt8Array,
    predicted_SN: Int64Array,
    maps_SNhw: Float32Array,
    *,
    n_steps: int,
    batch_size: int,
    seed: int,
) -> Scores:
    """How soon the predicted class's probability comes and goes with the pixels ranked highest.

    Insertion starts from the strongly blurred image and restores pixels, highest first; deletion
    starts from the image and blurs them, highest first. The score is the area under the first curve
    minus that under the second, with `n_steps` points each, ends included. The same is done for a
    random ranking of as many cells, upsampled as the map is, and for a Gaussian in the center. Where a
    map says nothing (cells of equal value, most often 0), the random ranking decides.

    Source: Petsiuk, Das and Saenko 2018 (arXiv:1806.07421), blur as the base of both curves.
    """
    rng = np.random.default_rng(seed)
    n, (height, width) = len(images_NHW3), images_NHW3.shape[1:3]
    center_HW = _centered_gaussian(height, width)
    scores = np.full((3, *maps_SNhw.shape[:2]), np.nan)
    chunk = max(1, batch_size // max(1, 2 * (n_steps - 2)))
    blurred_NHW3 = blur_images(images_NHW3)
    for s, model in enumerate(models):
        device = next(model.parameters()).device
        noise_Nhw = rng.random(maps_SNhw.shape[1:]).astype(np.float32)
        for i in range(0, n, chunk):
            part = slice(i, min(i + chunk, n))
            noise_BHW = _upsample(noise_Nhw[part], height, width)
            values_3BHW = (
                _upsample(maps_SNhw[s, part], height, width),
                noise_BHW,
                np.broadcast_to(center_HW, noise_BHW.shape),
            )
            ranks = np.stack([_rank_pixels(values, noise_BHW) for values in values_3BHW])
            scores[:, s, part] = _areas(
                model,
                to_pixels(images_NHW3[part], device),
                to_pixels(blurred_NHW3[part], device),
                torch.from_numpy(ranks).to(device),
                torch.from_numpy(predicted_SN[s, part]).to(device),
                n_steps=n_steps,
                batch_size=batch_size,
            )
    scores[:, ~(maps_SNhw > 0).any(axis=(2, 3))] = np.nan
    return Scores(*scores)


def summarize_scores(scores: Scores, n_steps: int) -> Faithfulness | None:
    """Means with intervals for images and models; None without any map."""
    score = estimate_mean(scores.map_SN, least=-1)
    over_random = estimate_gain(scores)
    random, center = (
        estimate_mean(scores.random_SN, least=-1),
        estimate_mean(scores.center_SN, least=-1),
    )
    over_center = estimate_mean(scores.map_SN - scores.center_SN, least=-2, most=2)
    if score is None or random is None or center is None or over_random is None or over_center is None:
        return None
    return Faithfulness(
        n_steps=n_steps,
        score=score,
        random=random,
        center=center,
        over_random=over_random,
        over_center=over_center,
    )


def estimate_gain(scores: Scores, *, min_images: int = 1) -> Estimate | None:
    """The map's score over the random ranking's, paired; None with fewer images than `min_images`."""
    gain = estimate_mean(scores.map_SN - scores.random_SN, least=-2, most=2)
    return gain if gain is not None and gain.n >= min_images else None


def blur_images(images_NHW3: UInt8Array) -> UInt8Array:
    """Every image blurred until only its large-scale color is left."""
    blurred = np.empty(images_NHW3.shape, np.uint8)
    for image, out in zip(images_NHW3, blurred, strict=True):
        sigma = BLUR * image.shape[0]
        out[:] = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred


@torch.no_grad()
def _areas(
    model: Classifier,
    pixels: Tensor,
    blurred: Tensor,
    ranks: Tensor,
    targets: Tensor,
    *,
    n_steps: int,
    batch_size: int,
) -> Float64Array:
    """Insertion minus deletion area of each ranking, R x B, from ranks R x B x H x W.

    Both curves have the same ends, which are computed once.
    """
    n_images, n_pixels = len(pixels), ranks[0, 0].numel()
    counts = torch.linspace(0, n_pixels, n_steps, device=pixels.device).round()[1:-1]
    ends_2B = _probabilities(model, torch.cat([blurred, pixels]), targets.repeat(2), batch_size).view(
        2, n_images
    )
    areas = []
    for ranks_BHW in ranks:
        is_high = (ranks_BHW[:, None] < counts[:, None, None])[:, :, None]
        inserted = torch.where(is_high, pixels[:, None], blurred[:, None])
        deleted = torch.where(is_high, blurred[:, None], pixels[:, None])
        both = torch.stack([inserted, deleted]).flatten(0, 2)
        repeated = targets[None, :, None].expand(2, -1, len(counts)).flatten()
        inner_2BK = _probabilities(model, both, repeated, batch_size).view(2, n_images, -1)
        starts, stops = ends_2B[:, :, None], ends_2B.flip(0)[:, :, None]
        curves_2BK = torch.cat([starts, inner_2BK, stops], dim=2)
        area_2B = torch.trapezoid(curves_2BK, dx=1 / (n_steps - 1))
        areas.append((area_2B[0] - area_2B[1]).cpu().numpy())
    return np.stack(areas).astype(np.float64)


def _probabilities(model: Classifier, pixels: Tensor, targets: Tensor, batch_size: int) -> Tensor:
    parts = [
        model(part.contiguous(memory_format=torch.channels_last)) for part in torch.split(pixels, batch_size)
    ]
    probabilities_NK = torch.cat(parts).float().softmax(dim=1)
    return probabilities_NK.gather(1, targets[:, None])[:, 0]


def _rank_pixels(values_BHW: Float32Array, ties_BHW: Float32Array) -> Int64Array:
    """0 for the highest pixel of each image, and so on; equal values in the order of `ties_BHW`."""
    shape = values_BHW.shape
    values, ties = values_BHW.reshape(shape[0], -1), ties_BHW.reshape(shape[0], -1)
    order = np.lexsort((-ties, -values), axis=1)
    ranks = np.empty(order.shape, np.int64)
    np.put_along_axis(ranks, order, np.arange(order.shape[1])[None], axis=1)
    return ranks.reshape(shape)


def _upsample(maps_Bhw: Float32Array, height: int, width: int) -> Float32Array:
    return np.stack([upsample_map(map_hw, height, width) for map_hw in maps_Bhw])


def _centered_gaussian(height: int, width: int) -> Float32Array:
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    gaussian: Float32Array = np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.5**2)).astype(np.float32)
    return gaussian
