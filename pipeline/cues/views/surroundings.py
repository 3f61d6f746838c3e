"""The image with its center blanked: what is around the object, coarsely."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.pair import Pair
from pipeline.cues.exchanges.places import shift_layout
from pipeline.cues.views.grids import grid_means

GRID = 8
_CENTER = slice(2, 6)


def read(seen: Seen) -> Values:
    """Mean colors of the cells outside the central 4 x 4, N x 144."""
    outside = np.ones((GRID, GRID), bool)
    outside[_CENTER, _CENTER] = False
    return Values(grid_means(seen.images, GRID)[:, outside].reshape(len(seen), -1))


def exchange(pair: Pair) -> UInt8Array:
    """The donor's colors around the center, cell by cell and smoothly."""
    shift = 255 * (grid_means(pair.donors_NHW3, GRID) - grid_means(pair.images_NHW3, GRID))
    shift[:, _CENTER, _CENTER] = 0
    return shift_layout(pair, shift)


CUE = Cue(
    name="surroundings",
    title="what surrounds the center",
    sees="8 x 8 colored cells without the central 4 x 4",
    kind="pixels",
    breadth=8,
    read=read,
    may_be_content=True,
    exchange=exchange,
)
