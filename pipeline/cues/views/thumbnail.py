"""A thumbnail of 4 x 4 grey cells: where it is light and dark, and nothing finer."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.views.grids import grid_means

GRID = 4


def read(seen: Seen) -> Values:
    """Grey of 16 cells."""
    return Values(grid_means(seen.images, GRID).mean(axis=-1).reshape(len(seen), -1))


CUE = Cue(
    name="thumbnail",
    title="the layout of light and dark",
    sees="4 x 4 grey cells of the image",
    kind="pixels",
    breadth=8,
    read=read,
    may_be_content=True,
)
