"""Array containers that flow between layers.

Shape legend: N images, H height, W width, K classes, G groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SplitName = Literal["train", "val", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")
Device = Literal["auto", "cpu", "cuda"]
FanOutExecutor = Literal["local", "slurm", "submitit_local"]  # where independent trainings run


@dataclass(frozen=True)
class PackedSplit:
    """The images of one split with everything that the packed data say about them.

    `images` may be a memory map; slice it, never copy it whole without need.
    `ids` are row numbers of the packed image file: unique over the dataset and stable.
    `masks` are 255 on the foreground and 0 elsewhere, and between them where an object is see-through
        (`pixels.maps.opacity_of`), above 127 on the foreground; None where the dataset has none.
    """

    name: SplitName
    images: UInt8Array  # N H W 3
    labels: Int64Array  # N, 0..K-1
    ids: Int64Array  # N
    files: npt.NDArray[Any]  # N, str: where the image came from
    masks: UInt8Array | None = None  # N H W
    label_flipped: BoolArray | None = None  # N, True where a label is known to be wrong
    # every annotated attribute by name: N, index into its values
    annotated: Mapping[str, Int64Array] = field(default_factory=dict)
    # N, equal for images of one scene, patient or video, whatever their split; None: each by itself
    sources: Int64Array | None = None
    packing: str = ""  # digest of the packed data that it is a part of

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """The same split restricted to `rows` (integer positions or a boolean mask)."""
        taken: dict[str, Any] = {}
        for name, value in ((f.name, getattr(self, f.name)) for f in fields(self)):
            if isinstance(value, np.ndarray):
                taken[name] = value[rows]
            elif isinstance(value, Mapping):
                taken[name] = {key: codes[rows] for key, codes in value.items()}
        return replace(self, **taken)


@dataclass(frozen=True)
class Split(PackedSplit):
    """The images of one split with their groups."""

    attributes: Int64Array = field(kw_only=True)  # N, index into the values of what forms the groups
    groups: Int64Array = field(kw_only=True)  # N, 0..G-1
    digest: str = ""  # of the packed data and of how they were grouped


@dataclass(frozen=True)
class Dynamics:
    """What one seed's training run noted about each of its training images."""

    ids: Int64Array  # N, as in `Split`
    aum: Float64Array  # N, mean margin over the run; NaN where there is none
    n_drawn: Int64Array  # N, how often the run's steps drew the image
    reason: str | None = None  # why there is no margin of any image
    # N each; None of results of before they were noted, NaN where there is no margin
    forgetting: Float64Array | None = None  # draws answered wrong right after one answered right
    n_right: Float64Array | None = None  # batches that held the image and answered it right
    el2n: Float64Array | None = None  # mean length of the error vector early in the run
