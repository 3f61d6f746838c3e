"""What cues see of a packed split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from pipeline.core.types import Int64Array, PackedSplit, UInt8Array
from pipeline.cues.cue import Seen, Strings
from pipeline.records.data import PackedInfo


class Picked:
    """Some rows of an array that may be a memory map: read when a chunk of them is asked for."""

    def __init__(self, array: UInt8Array, rows: Int64Array) -> None:
        self._array, self._rows = array, rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: slice | Int64Array) -> UInt8Array:
        return np.asarray(self._array[self._rows[key]])

    @classmethod
    def of(cls, array: UInt8Array, rows: Int64Array) -> UInt8Array:
        """To whoever reads chunks it is the array of these rows."""
        if isinstance(array, Picked):
            array, rows = array._array, array._rows[rows]
        return cast(UInt8Array, cls(array, rows))


@dataclass(frozen=True)
class Looked:
    """What cues see of one split, its classes, and scenes where images share some."""

    seen: Seen
    labels_N: Int64Array
    sources_N: Int64Array | None = None

    def take(self, rows: Int64Array) -> Looked:
        """The same of some images, whose pixels are read when they are looked at."""
        seen = Seen(
            images=Picked.of(self.seen.images, rows),
            masks=None if self.seen.masks is None else Picked.of(self.seen.masks, rows),
            facts=None if self.seen.facts is None else self.seen.facts.iloc[rows].reset_index(drop=True),
            columns={name: column[rows] for name, column in self.seen.columns.items()},
        )
        sources_N = None if self.sources_N is None else self.sources_N[rows]
        return Looked(seen, self.labels_N[rows], sources_N)


def look(split: PackedSplit, facts: pd.DataFrame | None, info: PackedInfo | None = None) -> Looked:
    """Pixels, what files say (rows of the packed file), and of a split of `info` its annotated columns.

    Where the images of a folder were listed by us, class after class, their order says nothing.
    """
    rows = None if facts is None else facts.iloc[split.ids].reset_index(drop=True)
    seen = Seen(split.images, split.masks, rows, {} if info is None else _columns(split, info))
    return Looked(seen, split.labels, split.sources)


def _columns(split: PackedSplit, info: PackedInfo) -> Mapping[str, Strings]:
    values = {attribute.name: np.array(attribute.values, object) for attribute in info.attributes}
    return {name: values[name][codes_N] for name, codes_N in split.annotated.items() if name in values}
