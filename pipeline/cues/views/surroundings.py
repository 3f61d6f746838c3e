"""The image with its center blanked: what is around the object, coarsely."""

from __future__ import annotations

import numpy as np

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.views.grids import grid_means

GRID = 8
_CENTER = slice(2, 6)


def read(seen: Seen) -> Values:
    """Mean colors of the cells outside the central 4 x 4, N x 144."""
    outside = np.ones((GRID, GRID), bool)
    outside[_CENTER, _CENTER] = False
    return Values(grid_means(seen.images, GRID)[:, outside].reshape(len(seen), -1))


CUE = Cue(
    name="surroundings",
    title="what surrounds the center",
    sees="8 x 8 colored cells without the central 4 x 4",
    kind="pixels",
    breadth=8,
    read=read,
    may_be_content=True,
)
