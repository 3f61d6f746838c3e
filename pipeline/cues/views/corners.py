"""The four corners, each by itself: where marks, dates and logos stand."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.pair import Pair
from pipeline.cues.exchanges.places import paste_cells
from pipeline.cues.views.grids import grid_colors

GRID = 16  # a corner is 2 x 2 of these cells
CORNERS = {
    "top left": (slice(0, 2), slice(0, 2)),
    "top right": (slice(0, 2), slice(-2, None)),
    "bottom left": (slice(-2, None), slice(0, 2)),
    "bottom right": (slice(-2, None), slice(-2, None)),
}


def read(seen: Seen) -> Values:
    """Colors and spreads of the four cells of each corner."""
    grid_NGGX = grid_colors(seen.images, GRID)
    corners = [grid_NGGX[:, rows, columns].reshape(len(seen), 16) for rows, columns in CORNERS.values()]
    numbers_NF = np.concatenate(corners, axis=1)
    return Values(numbers_NF, parts={name: slice(16 * i, 16 * i + 16) for i, name in enumerate(CORNERS)})


def exchange(pair: Pair) -> UInt8Array:
    """The donor's pixels in the corners."""
    inside_GG = np.zeros((GRID, GRID), bool)
    for name in pair.parts or CORNERS:
        inside_GG[CORNERS[name]] = True
    return paste_cells(pair, inside_GG)


CUE = Cue(
    name="corners",
    title="a corner of the image",
    sees="color and contrast of one corner, an eighth of the side wide",
    kind="pixels",
    breadth=3,
    read=read,
    may_be_content=False,
    is_around=True,
    exchange=exchange,
    trees=False,
)
