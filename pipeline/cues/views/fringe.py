"""Color fringes: red and blue that do not lie on green, of a lens, a scanner or a sensor.

Shape legend: n images of a chunk, H height, W width.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.fringe import exchange_fringe
from pipeline.cues.views.grids import fill_rows
from pipeline.pixels.registration import lie_apart


def read(seen: Seen) -> Values:
    """Shifts and magnification of red and blue against green, N x 6, pixels."""
    return Values(fill_rows(seen.images, (6,), _lie_apart))


def _lie_apart(chunk_nHW3: UInt8Array) -> Float32Array:
    return np.stack([lie_apart(image).ravel() for image in chunk_nHW3])


CUE = Cue(
    name="fringe",
    title="color fringes",
    sees="how far red and blue are shifted or magnified against green",
    kind="pixels",
    breadth=4,
    read=read,
    may_be_content=False,
    exchange=exchange_fringe,
)
