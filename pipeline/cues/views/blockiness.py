"""Steps at every eighth pixel: what JPEG leaves where images were not resized.

Shape legend: n images of a chunk, H height, W width.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_blocks
from pipeline.cues.views.grids import fill_rows, greys

PERIOD = 8


def read(seen: Seen) -> Values:
    """Mean step at each phase of eight pixels against all steps, across and down, N x 16."""
    return Values(fill_rows(seen.images, (2 * PERIOD,), _steps))


def _steps(chunk_nHW3: UInt8Array) -> Float32Array:
    grey_nHW = greys(chunk_nHW3)
    return np.concatenate([_phases(np.diff(grey_nHW, axis=axis), axis) for axis in (1, 2)], axis=1)


def _phases(steps_nHW: Float32Array, axis: int) -> Float32Array:
    size_n = np.abs(steps_nHW).mean(axis=3 - axis)
    phases = [size_n[:, phase::PERIOD].mean(axis=1) for phase in range(PERIOD)]
    shares = (np.stack(phases, axis=1) + 1e-3) / (size_n.mean(axis=1, keepdims=True) + 1e-3)
    return np.asarray(np.log(shares), np.float32)


CUE = Cue(
    name="blockiness",
    title="JPEG blocks",
    sees="how large steps at every eighth pixel are, beside all others",
    kind="pixels",
    breadth=6,
    read=read,
    may_be_content=False,
    exchange=exchange_blocks,
)
