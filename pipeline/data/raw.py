"""What a dataset loader yields, before pixels are packed.

A loader is a class with one method, `load() -> RawDataset`. `pipeline/data/registry.py` maps
`source.kind` to it; a user's own loader is one file with one such class in
`pipeline/data/plugins/`.

Shape legend: h and w of an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Float32Array, SplitName, UInt8Array


class UnreadableError(Exception):
    """One image or mask cannot be decoded; the message says why."""


@dataclass(frozen=True)
class DeepPixels:
    """An image beyond 8 bits that is no file: h x w or h x w x (3 or 4), integers or floats."""

    values: npt.NDArray[np.generic]


Content = bytes | UInt8Array | DeepPixels  # an encoded image file, or h x w x 3, or deeper


class StoredImage(Protocol):
    """An image inside of a larger file, read when it is packed: all of them would not fit into memory."""

    @property
    def called(self) -> str | None:
        """What its own file was called before it was put there; None: not said."""
        ...

    def read(self) -> Content:
        """The image. Asked for in ascending order within a split, by one thread.

        Raises:
            UnreadableError: there is none, or it cannot be had.
            InputError: the file around it is damaged.
        """
        ...


@dataclass(frozen=True)
class RawRow:
    """One image as its source describes it."""

    name: str  # unique in the dataset, shown to people: usually the relative file name
    image: Path | UInt8Array | StoredImage  # a file, or h x w x 3, or inside of a larger file
    label: str
    split: SplitName | None = None  # None: a seeded stratified split is made
    attributes: dict[str, str] = field(default_factory=dict)
    # a file (bright = foreground), H x W with 255, or as floats: how opaque the object is, in [0, 1]
    mask: Path | UInt8Array | Float32Array | None = None
    label_flipped: bool = False  # the label is known to be wrong
    # what it was taken from together with others: a scene, patient or video; None: by itself
    source: str | None = None


def content_of(row: RawRow) -> Path | Content:
    """The image's file, or what was read of it.

    Raises:
        UnreadableError, InputError: as `StoredImage.read`.
    """
    return row.image if isinstance(row.image, Path | np.ndarray) else row.image.read()


@dataclass(frozen=True)
class RawDataset:
    """All rows of a dataset and what is known about it as a whole."""

    title: str
    source: str  # where it came from, in words
    licence: str
    rows: list[RawRow]
    classes: list[str] | None = None  # shown order; None = sorted labels of the rows
    superclasses: dict[str, str] | None = None  # class -> superclass
    other_names: dict[str, list[str]] = field(default_factory=dict)  # class -> what its files may call it
    attribute_values: dict[str, list[str]] = field(default_factory=dict)  # shown order
    attribute_descriptions: dict[str, str] = field(default_factory=dict)
    citation: str = ""
    checksums: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    knows_label_flips: bool = False
    expected_group_counts: dict[SplitName, dict[tuple[str, str], int]] | None = None
    fingerprint: str = ""  # of the listing of an official dataset's folder
    # of a user's own files: tables beside the images, files that images are in; None: not his own
    decided_by: list[Path] | None = None
    is_listing: bool = False  # rows come as folders were listed, class after class: their order is ours
    source_name: str = "source"  # what `RawRow.source` is: scene, patient, camera

    def files(self) -> Iterator[Path]:
        """Images and masks that are files, not arrays."""
        for row in self.rows:
            yield from (part for part in (row.image, row.mask) if isinstance(part, Path))


class Loader(Protocol):
    """What every loader class implements."""

    def load(self) -> RawDataset:
        """Obtain the data and list its rows.

        Raises:
            InputError, DownloadError: with the file, what was expected and the remedy.
        """
        ...
