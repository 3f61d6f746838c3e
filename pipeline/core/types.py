"""Array containers that flow between layers.

Shape legend: N images, H height, W width, K classes, G groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SplitName = Literal["train", "val", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")
FanOutExecutor = Literal["local", "slurm", "submitit_local"]  # where independent trainings run


@dataclass(frozen=True)
class Split:
    """The images of one split with everything known about them.

    `images` may be a memory map; slice it, never copy it whole without need.
    `ids` are row numbers of the packed image file: unique over the dataset and stable.
    `masks` are 255 on the foreground and 0 elsewhere; None where the dataset has none.
    """

    name: SplitName
    images: UInt8Array  # N H W 3
    labels: Int64Array  # N, 0..K-1
    attributes: Int64Array  # N, index into the primary attribute's values
    groups: Int64Array  # N, 0..G-1
    ids: Int64Array  # N
    files: npt.NDArray[Any]  # N, str: where the image came from
    masks: UInt8Array | None = None  # N H W
    label_flipped: BoolArray | None = None  # N, True where a label is known to be wrong
    # every annotated attribute by name, the primary one too: N, index into its values
    annotated: Mapping[str, Int64Array] = field(default_factory=dict)
    # N, equal for images of one scene, patient or video, whatever their split; None: each by itself
    sources: Int64Array | None = None
    packing: str = ""  # digest of the packed data that it is a part of

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[Any]) -> Split:
        """The same split restricted to `rows` (integer positions or a boolean mask)."""
        return Split(
            name=self.name,
            images=self.images[rows],
            labels=self.labels[rows],
            attributes=self.attributes[rows],
            groups=self.groups[rows],
            ids=self.ids[rows],
            files=self.files[rows],
            masks=None if self.masks is None else self.masks[rows],
            label_flipped=None if self.label_flipped is None else self.label_flipped[rows],
            annotated={name: values[rows] for name, values in self.annotated.items()},
            sources=None if self.sources is None else self.sources[rows],
            packing=self.packing,
        )


@dataclass(frozen=True)
class Dynamics:
    """What one seed's training run noted about each of its training images."""

    ids: Int64Array  # N, as in `Split`
    aum: Float64Array  # N, mean margin over the run; NaN where there is none
    n_drawn: Int64Array  # N, how often the run's steps drew the image
    reason: str | None = None  # why there is no margin of any image
