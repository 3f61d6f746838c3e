"""Every cell of an 8 x 8 grid by itself: a map of where in the frame the class can be read off."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.views.grids import grid_colors

GRID = 8
_N = 4  # numbers of a cell


def read(seen: Seen) -> Values:
    """Color and spread of lightness of each cell, row by row."""
    cells_ND = grid_colors(seen.images, GRID).reshape(len(seen), -1)
    parts = {
        f"row {i // GRID + 1}, column {i % GRID + 1}": slice(_N * i, _N * i + _N) for i in range(GRID * GRID)
    }
    return Values(cells_ND, parts=parts)


CUE = Cue(
    name="cells",
    title="one spot of the frame",
    sees="color and contrast of a single cell of an 8 x 8 grid, each cell by itself",
    kind="pixels",
    breadth=4,
    read=read,
    may_be_content=True,
    trees=False,
)
