"""The outermost strip: frames, bars and scanner edges."""

from __future__ import annotations

import numpy as np

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.cells import exchange_strip
from pipeline.cues.views.grids import grid_colors

GRID = 16  # the outermost cells are the strip


def read(seen: Seen) -> Values:
    """Color and spread of each side's strip, and how much each differs from the strip inside of it."""
    grid_NGGX = grid_colors(seen.images, GRID)
    outer, inner = (_sides(grid_NGGX, at) for at in (0, 1))
    return Values(np.concatenate([outer, outer - inner], axis=1))


def _sides(grid_NGGX: np.typing.NDArray[np.float32], at: int) -> np.typing.NDArray[np.float32]:
    """Means over each side's cells, `at` cells from the edge, N x 16."""
    along = slice(at, GRID - at)
    sides = (
        grid_NGGX[:, at, along],
        grid_NGGX[:, GRID - 1 - at, along],
        grid_NGGX[:, along, at],
        grid_NGGX[:, along, GRID - 1 - at],
    )
    return np.concatenate([side.mean(axis=1) for side in sides], axis=1)


CUE = Cue(
    name="border",
    title="the border",
    sees="the strip along the four edges, a sixteenth of the side wide",
    kind="pixels",
    breadth=2,
    read=read,
    may_be_content=False,
    exchange=exchange_strip,
)
