"""The outermost lines of pixels: frames, bars and scanner edges.

Shape legend: n images of a chunk, H height, W width, L lines, X sides times lines times channels.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.cells import exchange_strip
from pipeline.cues.views.grids import fill_rows

SIDE = 64  # pixels that larger images are averaged to: a line is that share of the side
LINES, DEPTH = 5, 12  # from the edge, and the share of the side that they reach into: fewer of small images


def read(seen: Seen) -> Values:
    """Color of each side's strip, and the median step from each of its lines to the next, N x 72.

    What is on an image crosses a line here and there; a frame does all along it, which the median tells.
    """
    return Values(fill_rows(seen.images, (4 * 3 * (LINES + 1),), _strips))


def _strips(chunk_nHW3: UInt8Array) -> Float32Array:
    small_nHW3 = np.stack([_lab(image) for image in chunk_nHW3])
    parts = []
    for side_nLW3 in _sides(small_nHW3):
        parts.append(side_nLW3[:, :-1].mean(axis=(1, 2)))
        steps_nLW3 = side_nLW3[:, :-1] - side_nLW3[:, 1:]
        parts.append(np.median(steps_nLW3, axis=2).reshape(len(chunk_nHW3), -1))
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _lab(image: UInt8Array) -> Float32Array:
    """CIELAB of the image, made smaller where it is large."""
    height, width = image.shape[:2]
    small = image.astype(np.float32) / np.float32(255)
    if max(height, width) > SIDE:
        small = np.asarray(
            cv2.resize(small, (min(width, SIDE), min(height, SIDE)), interpolation=cv2.INTER_AREA)
        )
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.float32)


def _sides(images_nHW3: Float32Array) -> list[Float32Array]:
    """The lines along each side, from the edge inwards, n x (L + 1) x pixels along it x 3."""
    turned = images_nHW3.transpose(0, 2, 1, 3)
    found = [images_nHW3, images_nHW3[:, ::-1], turned, turned[:, ::-1]]
    return [side[:, np.minimum(np.arange(LINES + 1), max(1, side.shape[1] // DEPTH))] for side in found]


CUE = Cue(
    name="border",
    title="the border",
    sees="the lines of pixels along the four edges, a twelfth of the side deep",
    kind="pixels",
    breadth=3,
    read=read,
    may_be_content=False,
    is_around=True,
    trees=False,  # they would tell noise and stripes, which cross the border, by the size of a step
    exchange=exchange_strip,
)
