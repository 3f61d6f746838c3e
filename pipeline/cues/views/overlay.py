"""A fixed overlay: the same faint mark at the same place, as class means show after a high-pass.

Shape legend: n images of a chunk, H height, W width, S side.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.pair import Pair, add
from pipeline.cues.views.grids import fill_rows, greys

SIDE = 32
SIGMA = 2.0  # pixels of the small image: what is coarser is left out


def read(seen: Seen) -> Values:
    """Grey without what is coarse, every pixel by its place, N x 1024."""
    return Values(fill_rows(seen.images, (SIDE * SIDE,), _high_pass))


def _high_pass(chunk_nHW3: UInt8Array) -> Float32Array:
    rows = []
    for grey_HW in greys(chunk_nHW3):
        small = cv2.resize(grey_HW, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        rows.append((small - cv2.GaussianBlur(small, (0, 0), SIGMA)).ravel())
    return np.clip(np.array(rows, np.float32).reshape(-1, SIDE * SIDE), -0.25, 0.25)


def exchange(pair: Pair) -> UInt8Array:
    """The donor's fine detail in place of the image's own, on what is coarse in the image."""
    scale = SIGMA * pair.images_NHW3.shape[1] / SIDE
    coarse, donor_coarse = (
        np.stack([cv2.GaussianBlur(image, (0, 0), scale) for image in images.astype(np.float32)])
        for images in (pair.images_NHW3, pair.donors_NHW3)
    )
    return add(pair.images_NHW3, (pair.donors_NHW3 - donor_coarse) - (pair.images_NHW3 - coarse))


CUE = Cue(
    name="overlay",
    title="a mark at a fixed place",
    sees="fine detail by its place in the frame",
    kind="pixels",
    breadth=8,
    read=read,
    may_be_content=True,
    exchange=exchange,
    mostly_silent=True,
    trees=False,
)
