"""A few changed images of every intervention, kept while they are predicted: people see what models saw.

Which ones is a rule, not a taste: images whose prediction changes come first, of these the ones whose cue
goes against their label in training, then by id.

Shape legend: N test images, n images of a part, M kept images, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.artifacts.edited import EditedImages
from pipeline.core.types import BoolArray, Int64Array, Split, UInt8Array

KEPT = 3  # of each intervention

# Name of the change, rows of the test split, their changed pixels, their predicted classes S x n.
Watch = Callable[[str, Int64Array, UInt8Array, Int64Array], None]


def look_away(name: str, rows: Int64Array, images_nHW3: UInt8Array, predicted_Sn: Int64Array) -> None:
    """Keep nothing."""


class _Kept(NamedTuple):
    """One changed image; its first three fields are its place in the order."""

    is_same: bool  # the prediction did not change
    is_aligned: bool
    id: int
    before: int
    after: int
    pixels_HW3: UInt8Array


class Keeper:
    """Keeps at most `KEPT` images of each change, whatever the number and the order of batches."""

    def __init__(self, test: Split, predicted_N: Int64Array, is_aligned_G: BoolArray) -> None:
        """`predicted_N`: the first seed's classes of the unchanged test images.

        `is_aligned_G`: of each group whether its cue goes with its label in training.
        """
        self._test = test
        self._predicted_N = predicted_N
        self._is_aligned_G = is_aligned_G
        self._kept: dict[str, list[_Kept]] = {}

    def watch(self, name: str, rows: Int64Array, images_nHW3: UInt8Array, predicted_Sn: Int64Array) -> None:
        """Look at one batch, of whose images only those that are kept are copied."""
        after_n, before_n = predicted_Sn[0], self._predicted_N[rows]
        is_same_n = after_n == before_n
        is_aligned_n = self._is_aligned_G[self._test.groups[rows]]
        ids_n = self._test.ids[rows]
        first = np.lexsort((ids_n, is_aligned_n, is_same_n))[:KEPT]
        found = [
            _Kept(
                bool(is_same_n[i]),
                bool(is_aligned_n[i]),
                int(ids_n[i]),
                int(before_n[i]),
                int(after_n[i]),
                images_nHW3[i].copy(),
            )
            for i in first
        ]
        self._kept[name] = sorted([*self._kept.get(name, []), *found], key=lambda kept: kept[:3])[:KEPT]

    @property
    def edited(self) -> EditedImages:
        """What was kept, in the order in which the changes were made."""
        kept = [(name, image) for name, images in self._kept.items() for image in images]
        shape = (len(kept), *self._test.images.shape[1:])
        pixels = [image.pixels_HW3 for _, image in kept]
        return EditedImages(
            np.array([name for name, _ in kept], np.str_),
            np.array([image.id for _, image in kept], np.int64),
            np.array([image.before for _, image in kept], np.int64),
            np.array([image.after for _, image in kept], np.int64),
            np.array(pixels, np.uint8).reshape(shape),
        )
