"""Other packed datasets, which a model never saw: images that it should notice, classes to read off features.

Shape legend: N images, H W height and width of the audited dataset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.datasets import load_packed, load_packed_split
from pipeline.core.types import Int64Array, PackedSplit, UInt8Array
from pipeline.pixels.resize import resize_image
from pipeline.statistics.sampling import draw

MOST_IMAGES = 2000  # of a split


@dataclass(frozen=True)
class OtherDataset:
    """At most `MOST_IMAGES` of each split, at the audited dataset's size."""

    train_images: UInt8Array  # N x H x W x 3
    train_labels: Int64Array
    test_images: UInt8Array
    test_labels: Int64Array


def load_other(packed: Path, packing: str, size: int, seed: int) -> OtherDataset | None:
    """The dataset that is packed in a folder; None where that is not what was planned with."""
    if load_packed(packed).packing != packing:
        return None
    images, labels = [], []
    for name in ("train", "test"):
        split = load_packed_split(packed, name)
        rows = draw(len(split), MOST_IMAGES, seed)
        images.append(_at_size(split, rows, size))
        labels.append(split.labels[rows])
    return OtherDataset(images[0], labels[0], images[1], labels[1])


def _at_size(split: PackedSplit, rows: Int64Array, size: int) -> UInt8Array:
    if split.images.shape[1] == size:
        return np.asarray(split.images[rows])
    resized = [resize_image(split.images[row], size) for row in rows]
    return np.stack(resized) if resized else np.zeros((0, size, size, 3), np.uint8)


def unpacked_notes(others: Mapping[str, OtherDataset | None]) -> tuple[str, ...]:
    """What is to be said of datasets that were asked for and are not there."""
    return tuple(
        f"'{name}' was not packed when this run was planned, or was packed again since, so nothing is "
        "compared with it: name it in `active` of params.yaml, and run `dvc repro` once more."
        for name, other in others.items()
        if other is None
    )
