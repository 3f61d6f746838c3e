"""Sharpness: how fine the finest detail is, beside coarser detail.

Shape legend: n images of a chunk, H height, W width.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.sharpness import exchange_sharpness
from pipeline.cues.views.grids import fill_rows, greys

SIGMAS = (0.6, 1.0, 1.6, 2.5)


def read(seen: Seen) -> Values:
    """Energy that each blur takes away beside the coarsest and the next one, whatever the contrast, N x 4."""
    return Values(fill_rows(seen.images, (len(SIGMAS),), _ratios))


def _ratios(chunk_nHW3: UInt8Array) -> Float32Array:
    return np.stack([_of_image(grey_HW) for grey_HW in greys(chunk_nHW3)])


def _of_image(grey_HW: Float32Array) -> Float32Array:
    blurred = [grey_HW, *(cv2.GaussianBlur(grey_HW, (0, 0), sigma) for sigma in SIGMAS)]
    energy = [float(np.square(a - b).mean()) for a, b in itertools.pairwise(blurred)]
    logs = np.log(np.array(energy) + 1e-7)
    return np.array([*(logs[:-1] - logs[-1]), logs[0] - logs[1]], np.float32)


CUE = Cue(
    name="sharpness",
    title="sharpness",
    sees="how much fine detail there is beside coarser detail",
    kind="pixels",
    breadth=5,
    read=read,
    may_be_content=False,
    exchange=exchange_sharpness,
)
