"""What cues see of a packed split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.audit.color.folds import stratified_subset
from pipeline.core.types import Int64Array, PackedSplit
from pipeline.cues.cue import Seen, Strings
from pipeline.records.data import PackedInfo


@dataclass(frozen=True)
class Looked:
    """What cues see of one split, its classes, and scenes where images share some."""

    seen: Seen
    labels_N: Int64Array
    sources_N: Int64Array | None = None

    def take(self, rows: Int64Array) -> Looked:
        """The same of some images."""
        seen = Seen(
            images=self.seen.images[rows],
            masks=None if self.seen.masks is None else self.seen.masks[rows],
            facts=None if self.seen.facts is None else self.seen.facts.iloc[rows].reset_index(drop=True),
            columns={name: column[rows] for name, column in self.seen.columns.items()},
        )
        sources_N = None if self.sources_N is None else self.sources_N[rows]
        return Looked(seen, self.labels_N[rows], sources_N)


def rows_looked_at(train: Looked, most: int | None, seed: int) -> Int64Array:
    """At most so many images of train, each class in proportion, sources whole; all of them for None."""
    if most is None or len(train.labels_N) <= most:
        return np.arange(len(train.labels_N))
    return np.flatnonzero(stratified_subset(train.labels_N, most, seed, train.sources_N))


def look(split: PackedSplit, facts: pd.DataFrame | None, info: PackedInfo) -> Looked:
    """Pixels, what files say (rows of the packed file), and annotated columns of a split.

    Where the images of a folder were listed by us, class after class, their order says nothing.
    """
    rows = None if facts is None else facts.iloc[split.ids].reset_index(drop=True)
    seen = Seen(split.images, split.masks, rows, _columns(split, info))
    return Looked(seen, split.labels, split.sources)


def _columns(split: PackedSplit, info: PackedInfo) -> Mapping[str, Strings]:
    values = {attribute.name: np.array(attribute.values, object) for attribute in info.attributes}
    return {name: values[name][codes_N] for name, codes_N in split.annotated.items() if name in values}
