"""Color fringes exchanged: red and blue moved until they lie from green as the donor's do."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.cues.exchanges.pair import Pair
from pipeline.pixels.registration import lie_apart, move_channels


def exchange_fringe(pair: Pair) -> UInt8Array:
    """The donor's shift and magnification of red and blue, in place of the image's own."""
    pairs = zip(pair.images_NHW3, pair.donors_NHW3, strict=True)
    return np.stack([move_channels(own, lie_apart(donor) - lie_apart(own)) for own, donor in pairs])
