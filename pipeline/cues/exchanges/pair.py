"""What an exchange is given: images, and those whose property they get.

Exchanges *add the difference* of two images' statistics and leave the image's own deviations from its
statistics alone, so that an exchange between images that agree in the property does nothing; those of places
and of texture put the donor's in place of the image's own. Edits never look at labels, attributes or
predictions.

Shape legend: N images, H height, W width, P pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.pixels.levels import to_uint8
from pipeline.pixels.maps import for_each_chunk


class Pair(NamedTuple):
    """Images and those whose property they get, row by row. What the dataset lacks is None."""

    images_NHW3: UInt8Array
    donors_NHW3: UInt8Array
    masks_NHW: UInt8Array | None = None
    donor_masks_NHW: UInt8Array | None = None
    facts: pd.DataFrame | None = None  # N rows: what the images' files say
    donor_facts: pd.DataFrame | None = None
    parts: tuple[str, ...] = ()  # places to exchange, of a cue that has places; empty: all of them

    def take(self, rows: slice) -> Pair:
        """Consecutive ones of them."""
        return Pair(
            self.images_NHW3[rows],
            self.donors_NHW3[rows],
            None if self.masks_NHW is None else self.masks_NHW[rows],
            None if self.donor_masks_NHW is None else self.donor_masks_NHW[rows],
            None if self.facts is None else self.facts.iloc[rows],
            None if self.donor_facts is None else self.donor_facts.iloc[rows],
            self.parts,
        )


Exchange = Callable[[Pair], UInt8Array]
CHUNK = 32  # images that a thread changes at a time


def exchange_side_by_side(exchange: Exchange, pair: Pair) -> UInt8Array:
    """The same on a few threads: what an exchange does to an image knows nothing of the others."""
    changed = np.empty_like(pair.images_NHW3)

    def fill(rows: slice) -> None:
        changed[rows] = exchange(pair.take(rows))

    for_each_chunk(fill, pair.images_NHW3, CHUNK)
    return changed


def pixels(images_NHW3: UInt8Array) -> Float32Array:
    """N x P x 3, also of no images."""
    n, height, width, n_channels = images_NHW3.shape
    return images_NHW3.reshape(n, height * width, n_channels).astype(np.float32)


def add(images_NHW3: UInt8Array, shift: npt.NDArray[Any]) -> UInt8Array:
    """`shift`: N x P x 3 or N x H x W x 3, or broadcast over the channels."""
    per_image = images_NHW3.shape[:3] + shift.shape[-1:]
    return to_uint8(images_NHW3 + shift.reshape(per_image))
