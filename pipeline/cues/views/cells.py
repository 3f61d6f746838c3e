"""Every cell of an 8 x 8 grid by itself: a map of where in the frame the class can be read off."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.pair import Pair
from pipeline.cues.exchanges.places import paste_cells
from pipeline.cues.views.grids import grid_colors

GRID = 8
PLACES = [f"row {i // GRID + 1}, column {i % GRID + 1}" for i in range(GRID * GRID)]
_N = 4  # numbers of a cell


def read(seen: Seen) -> Values:
    """Color and spread of lightness of each cell, row by row."""
    cells_ND = grid_colors(seen.images, GRID).reshape(len(seen), -1)
    return Values(cells_ND, parts={name: slice(_N * i, _N * i + _N) for i, name in enumerate(PLACES)})


def exchange(pair: Pair) -> UInt8Array:
    """The donor's pixels in the cells."""
    inside = np.isin(PLACES, pair.parts or PLACES)
    return paste_cells(pair, inside.reshape(GRID, GRID))


CUE = Cue(
    name="cells",
    title="one spot of the frame",
    sees="color and contrast of a single cell of an 8 x 8 grid, each cell by itself",
    kind="pixels",
    breadth=4,
    read=read,
    may_be_content=True,
    exchange=exchange,
    trees=False,
)
