"""Numbers per image that tell dark, bright, grey, empty and blurry ones.

Shape legend: N images, n images of a chunk, H height, W width, P pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.progress import track
from pipeline.core.types import Float32Array, Float64Array, UInt8Array

LEVELS = 64  # of luma, for the entropy
_CHUNK_PIXELS = 1 << 20


class Quality(NamedTuple):
    """One number per image each, N."""

    dark_limit: Float32Array  # what all channels of 95 % of the pixels stay below, 0..1
    bright_limit: Float32Array  # what all channels of 95 % of the pixels stay above, 0..1
    spread: Float32Array  # mean difference of the largest and smallest channel, 0..255
    entropy: Float32Array  # of luma in 64 levels, bits: 0 flat, 6 all levels alike
    sharpness: Float32Array  # log of the Laplacian's variance over the luma's; NaN where luma is flat


def measure_quality(images_NHW3: UInt8Array) -> Quality:
    """All numbers in one pass; `images_NHW3` may be a memory map and is read chunk by chunk.

    Sharpness is relative to contrast, so that a pale image is not taken for a blurred one.
    Source: variance of the Laplacian by Pech-Pacheco et al. 2000 (ICPR).
    """
    n_pixels = int(np.prod(images_NHW3.shape[1:3]))
    step = max(1, _CHUNK_PIXELS // max(n_pixels, 1))
    starts = range(0, len(images_NHW3), step)
    chunks = [
        _measure(np.asarray(images_NHW3[i : i + step])) for i in track(starts, "image quality", "chunks")
    ]
    if not chunks:
        return Quality(*(np.zeros(0, np.float32) for _ in Quality._fields))
    return Quality(*(np.concatenate(column) for column in zip(*chunks, strict=True)))


def robust_z(values_N: Float32Array) -> Float64Array:
    """Distance from the median in robust standard deviations (1.4826 times the MAD); NaN stays NaN.

    0 everywhere when more than half of the values are the same: then nothing says what is usual.
    """
    values = values_N.astype(np.float64)
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    center = np.median(known)
    scale = 1.4826 * float(np.median(np.abs(known - center)))
    return (values - center) / scale if scale > 1e-9 else np.where(np.isnan(values), np.nan, 0.0)


def _measure(images_nHW3: UInt8Array) -> Quality:
    n, height, width, _ = images_nHW3.shape
    strip = np.ascontiguousarray(images_nHW3).reshape(n * height, width, 3)
    luma_nHW = np.asarray(cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY), np.uint8).reshape(n, height, width)
    luma_nP = luma_nHW.reshape(n, -1)
    # A saturated blue has little luma and is not dark, a yellow has much and is not washed out.
    red, green, blue = (images_nHW3[..., channel].reshape(n, -1) for channel in range(3))
    most_nP = np.maximum(np.maximum(red, green), blue)
    least_nP = np.minimum(np.minimum(red, green), blue)
    spread_n = (most_nP - least_nP).mean(axis=1)
    last = luma_nP.shape[1] - 1
    low, high = int(0.05 * last), int(np.ceil(0.95 * last))
    return Quality(
        dark_limit=(np.partition(most_nP, high, axis=1)[:, high] / 255).astype(np.float32),
        bright_limit=(np.partition(least_nP, low, axis=1)[:, low] / 255).astype(np.float32),
        spread=spread_n.astype(np.float32),
        entropy=_entropy(luma_nP),
        sharpness=_sharpness(luma_nHW),
    )


def _entropy(luma_nP: UInt8Array) -> Float32Array:
    n, n_pixels = luma_nP.shape
    level_nP = (luma_nP // (256 // LEVELS)).astype(np.int64) + LEVELS * np.arange(n)[:, None]
    share = np.bincount(level_nP.ravel(), minlength=n * LEVELS).reshape(n, LEVELS) / n_pixels
    bits: Float32Array = -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1).astype(np.float32)
    return bits + np.float32(0)  # -0 is 0


def _sharpness(luma_nHW: UInt8Array) -> Float32Array:
    """The Laplacian from differences inside each image: a filter over a strip would mix neighbors."""
    luma = luma_nHW.astype(np.float32)
    laplacian = (luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]) - 4 * luma[
        :, 1:-1, 1:-1
    ]
    detail, contrast = laplacian.var(axis=(1, 2)), luma.var(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(detail / contrast)
    sharpness: Float32Array = np.where((contrast > 1) & (detail > 0), ratio, np.nan).astype(np.float32)
    return sharpness
