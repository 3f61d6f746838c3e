"""Color: what colors are there, not where.

Shape legend: N images, n images of a chunk, H height, W width, C cells, B bins, F features.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.color import exchange_color
from pipeline.cues.views.grids import fill_rows, grid_means
from pipeline.pixels.color_features import color_features

HUES = 60  # bins around the circle: a small turn of all colors moves shares from bin to bin
CELLS = 16  # on a side, small beside what is colored and large beside what noise and sharpness change


def read(seen: Seen) -> Values:
    """Colors of the whole image, how much there is of each hue, and the tint of the border: blind to place,
    sharpness and ink.
    """
    features_NF, names = color_features(seen.images)
    kept = [i for i, n in enumerate(names) if n.region == "whole" or n.feature in ("a_mean", "b_mean")]
    return Values(np.concatenate([features_NF[:, kept], hue_shares(seen.images)], axis=1))


def hue_shares(images_NHW3: UInt8Array) -> Float32Array:
    """Square root of the share of cells with each hue, by their saturation, N x B."""
    return np.sqrt(fill_rows(images_NHW3, (HUES,), _hues_of_chunk))


def _hues_of_chunk(chunk_nHW3: UInt8Array) -> Float32Array:
    n = len(chunk_nHW3)
    cells_nC3 = grid_means(chunk_nHW3, CELLS).reshape(n, CELLS * CELLS, 3)
    hue_nC, saturation_nC, _ = np.moveaxis(cv2.cvtColor(cells_nC3, cv2.COLOR_RGB2HSV), 2, 0)
    bin_nC = np.minimum((hue_nC * (HUES / 360)).astype(np.int64), HUES - 1)
    flat = (bin_nC + HUES * np.arange(n)[:, None]).ravel()
    sums = np.bincount(flat, saturation_nC.ravel(), n * HUES).reshape(n, HUES)
    return np.asarray(sums / (CELLS * CELLS), np.float32)


CUE = Cue(
    name="color",
    title="color",
    sees="the average and the most colorful colors of the image, and its hues, not where they are",
    kind="pixels",
    breadth=2,
    read=read,
    may_be_content=True,
    exchange=exchange_color,
)
