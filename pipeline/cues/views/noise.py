"""Noise: what differs from pixel to pixel without edges.

Shape legend: n images of a chunk, H height, W width.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.noise import exchange_noise
from pipeline.cues.views.grids import fill_rows

KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
QUANTILES = (0.1, 0.25, 0.5, 0.75)


def read(seen: Seen) -> Values:
    """Quantiles of what Immerkaer's mask leaves, in each color channel, N x 12, logarithms.

    Source: Immerkaer 1996 (Fast noise variance estimation); low quantiles leave edges out.
    """
    return Values(fill_rows(seen.images, (3 * len(QUANTILES),), _levels))


def _levels(chunk_nHW3: UInt8Array) -> Float32Array:
    n = len(chunk_nHW3)
    left_nHW3 = np.stack([np.abs(cv2.filter2D(image, cv2.CV_32F, KERNEL)) for image in chunk_nHW3])
    found = np.quantile(left_nHW3[:, 1:-1, 1:-1].reshape(n, -1, 3), QUANTILES, axis=1)
    return np.asarray(np.log(found.transpose(1, 0, 2).reshape(n, -1) + 0.25), np.float32)


CUE = Cue(
    name="noise",
    title="noise",
    sees="how much neighboring pixels differ where there is no edge",
    kind="pixels",
    breadth=4,
    read=read,
    may_be_content=False,
    exchange=exchange_noise,
)
