"""What a file's making leaves in the pixels: size and compression exchanged for the donor's.

A poorer donor's recipe is repeated: the image is made as small as the donor's file was, or encoded as it
was. Detail that is lost cannot be brought back by a recipe; towards a richer donor, and where files say
nothing, it is the strength of every band of detail that is exchanged instead.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from pipeline.core.types import Float64Array, UInt8Array
from pipeline.cues.exchanges.bands import exchange_detail
from pipeline.cues.exchanges.pair import Pair, add

BLOCK = 8  # pixels
LOSSLESS = 100.0  # quality of files that are no JPEG
MOST_ENLARGED = 4.0  # times the packed side, where a file was larger than it


def exchange_size(pair: Pair) -> UInt8Array:
    """Made as small as the donor's file and enlarged again; else the donor's detail."""
    height, width = pair.images_NHW3.shape[1:3]
    own_N, donor_N = (_scale(f, len(pair.images_NHW3), height, width) for f in (pair.facts, pair.donor_facts))
    is_poorer_N = donor_N < np.minimum(own_N, 1.0)
    edited = exchange_detail(pair)
    for i in np.flatnonzero(is_poorer_N):
        side = max(2, round(width * donor_N[i])), max(2, round(height * donor_N[i]))
        small = cv2.resize(pair.images_NHW3[i], side, interpolation=cv2.INTER_AREA)
        edited[i] = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return edited


def exchange_compression(pair: Pair) -> UInt8Array:
    """Encoded at the donor's JPEG quality where that is lower, and its steps between blocks; else its detail.

    An image that was encoded before loses less by it than an untouched one, which the steps make up for.
    """
    own_N, donor_N = (_quality(facts, len(pair.images_NHW3)) for facts in (pair.facts, pair.donor_facts))
    edited, is_poorer_N = exchange_detail(pair), donor_N < own_N
    encoded = pair.images_NHW3.copy()
    for i in np.flatnonzero(is_poorer_N):
        encoded[i] = _encode(pair.images_NHW3[i], float(donor_N[i]), pair.donor_facts, int(i))
    stepped = exchange_blocks(pair._replace(images_NHW3=encoded))
    edited[is_poorer_N] = stepped[is_poorer_N]
    is_same_N = donor_N == own_N
    edited[is_same_N] = pair.images_NHW3[is_same_N]
    return edited


def exchange_blocks(pair: Pair) -> UInt8Array:
    """The donor's size of steps at every eighth pixel beside all other steps, across and down."""
    images = pair.images_NHW3
    for axis in (1, 2):
        share_N = _block_share(images, axis), _block_share(pair.donors_NHW3, axis)
        images = _scale_steps(images, share_N[1] / share_N[0], axis)
    return images


def _block_share(images_NHW3: UInt8Array, axis: int) -> Float64Array:
    """Mean step between blocks against the mean of all other steps."""
    steps = np.abs(np.diff(images_NHW3.astype(np.int16), axis=axis)).mean(axis=(3 - axis, 3))
    at_block = np.arange(steps.shape[1]) % BLOCK == BLOCK - 1
    if at_block.all() or not at_block.any():
        return np.ones(len(steps))
    share: Float64Array = (steps[:, at_block].mean(axis=1) + 0.25) / (steps[:, ~at_block].mean(axis=1) + 0.25)
    return share


def _scale_steps(images_NHW3: UInt8Array, ratio_N: Float64Array, axis: int) -> UInt8Array:
    """Steps between blocks times `ratio_N`; half of the change on either side, fading over half a block."""
    moved = np.moveaxis(images_NHW3.astype(np.float32), axis, 1)
    size, half = moved.shape[1], BLOCK // 2
    shift = np.zeros_like(moved)
    for edge in range(BLOCK, size, BLOCK):
        step = (moved[:, edge] - moved[:, edge - 1]) * (ratio_N[:, None, None] - 1)
        for away in range(half):
            weight = 0.5 * (1 - away / half)
            shift[:, edge - 1 - away] -= weight * step
            if edge + away < size:
                shift[:, edge + away] += weight * step
    return add(images_NHW3, np.moveaxis(shift, 1, axis))


def _encode(image_HW3: UInt8Array, quality: float, facts: pd.DataFrame | None, row: int) -> UInt8Array:
    """As a JPEG of the size that the donor's file had, at least the packed one, and back."""
    height, width = image_HW3.shape[:2]
    scale = float(_scale(facts.iloc[[row]] if facts is not None else None, 1, height, width)[0])
    scale = min(max(scale, 1.0), MOST_ENLARGED)
    large = image_HW3
    if scale > 1:
        side = round(width * scale), round(height * scale)
        large = np.asarray(cv2.resize(image_HW3, side, interpolation=cv2.INTER_CUBIC), np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, round(quality)]
    if facts is not None and "subsampling" in facts and str(facts["subsampling"].iloc[row]) == "4:4:4":
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(large, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.cvtColor(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    if scale > 1:
        decoded = cv2.resize(decoded, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(decoded, np.uint8)


def _scale(facts: pd.DataFrame | None, n: int, height: int, width: int) -> Float64Array:
    """The file's shorter side against the packed one; 1 where it is not known."""
    if facts is None or not {"width", "height"} <= set(facts):
        return np.ones(n)
    sides = np.stack([_numbers(facts, "width"), _numbers(facts, "height")])
    scale_N = np.asarray(sides.min(axis=0) / min(height, width), np.float64)
    return np.where(np.isfinite(scale_N), scale_N, 1.0)


def _quality(facts: pd.DataFrame | None, n: int) -> Float64Array:
    if facts is None or "jpeg_quality" not in facts:
        return np.full(n, LOSSLESS)
    quality_N = _numbers(facts, "jpeg_quality")
    return np.where(np.isfinite(quality_N), quality_N, LOSSLESS)


def _numbers(facts: pd.DataFrame, column: str) -> Float64Array:
    return np.asarray(facts[column].astype(np.float64).to_numpy(np.float64, na_value=np.nan), np.float64)
