"""A thumbnail of 4 x 4 grey cells: where it is light and dark, and nothing finer."""

from __future__ import annotations

from pipeline.core.types import UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.pair import Pair
from pipeline.cues.exchanges.places import shift_layout
from pipeline.cues.views.grids import grid_means

GRID = 4


def read(seen: Seen) -> Values:
    """Grey of 16 cells."""
    return Values(grid_means(seen.images, GRID).mean(axis=-1).reshape(len(seen), -1))


def exchange(pair: Pair) -> UInt8Array:
    """The donor's light and dark, cell by cell and smoothly."""
    cells = [grid_means(images, GRID).mean(axis=-1) for images in (pair.donors_NHW3, pair.images_NHW3)]
    return shift_layout(pair, 255 * (cells[0] - cells[1])[..., None])


CUE = Cue(
    name="thumbnail",
    title="the layout of light and dark",
    sees="4 x 4 grey cells of the image",
    kind="pixels",
    breadth=8,
    read=read,
    may_be_content=True,
    exchange=exchange,
)
