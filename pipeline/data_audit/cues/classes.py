"""The class that a cue alone names, of every image, and never by a classifier that the image was fitted on.

Shape legend: N images of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.core.types import Float32Array, Int64Array, SplitName
from pipeline.cues.cue import Cue
from pipeline.cues.encode import Encoder
from pipeline.cues.look import Looked
from pipeline.cues.registry import column_cue, find_cue
from pipeline.cues.tell import Half, Kind, Teller
from pipeline.data_audit.color.folds import stratified_folds
from pipeline.data_audit.cues.tell import cut_to, rows_looked_at
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.settings.cues import CuesSettings

BLOCK = 16_384  # images whose pixels are read at a time
ByCue = dict[str, Int64Array]  # column -> N
COLUMN = "attr_"  # what the names of cues begin with that are annotated columns


def name_classes(
    result: CuesResult, splits: Mapping[SplitName, Looked], settings: CuesSettings
) -> dict[SplitName, ByCue]:
    """What every found cue names, by the classifier and at the place that it was found by.

    Training images are read out of fold; those beyond `max_train`, validation and test images by a
    classifier of all training images that are looked at. Images of one source are never on both sides.

    Args:
        splits: with "train"; others may be empty or missing.
    """
    found = [cue for cue in result.cues if cue.found]
    named: dict[SplitName, ByCue] = {name: {} for name in splits}
    for finding in found:
        reader = _Reader.of(finding, splits["train"], settings)
        for name, looked in splits.items():
            read = reader.out_of_fold(looked) if name == "train" else reader.read(looked)
            named[name][finding.column] = read
    return named


@dataclass(frozen=True)
class _Reader:
    """One found cue with its encoder and the training images that it is fitted on."""

    cue: Cue
    part: str | None
    kind: Kind
    encoder: Encoder
    fit: Half
    rows: Int64Array  # of train, that `fit` holds
    settings: CuesSettings

    @classmethod
    def of(cls, finding: CueFinding, train: Looked, settings: CuesSettings) -> _Reader:
        cue = _cue_of(finding)
        rows = rows_looked_at(train, settings.max_train, settings.seed)
        taken = train if len(rows) == len(train.labels_N) else train.take(rows)
        values = cue.read(taken.seen)
        assert values is not None, f"{finding.name} was found, so it can be read"
        encoder = Encoder.fit(values)
        columns = slice(None) if finding.part is None else values.parts[finding.part]
        fit = Half(encoder.inputs(values)[:, columns], taken.labels_N, taken.sources_N)
        straight: Kind = "centroids" if cue.mostly_silent else "linear"
        kind: Kind = "trees" if finding.classifier == "trees" else straight
        return cls(cue, finding.part, kind, encoder, fit, rows, settings)

    def out_of_fold(self, train: Looked) -> Int64Array:
        named_N = np.empty(len(train.labels_N), np.int64)
        half, seed = self.fit, self.settings.seed
        n_units = len(half.labels_N if half.sources_N is None else np.unique(half.sources_N))
        folds_N = stratified_folds(half.labels_N, min(self.settings.folds, n_units), seed, half.sources_N)
        for fold in np.unique(folds_N):
            out = folds_N == fold
            named_N[self.rows[out]] = Teller(self.kind, self._cut(half.take(~out))).guess(half.inputs_ND[out])
        rest = np.setdiff1d(np.arange(len(named_N)), self.rows)
        named_N[rest] = self.read(train, rest)
        return named_N

    def read(self, looked: Looked, rows: Int64Array | None = None) -> Int64Array:
        """By a classifier of all that is fitted on; of some images, or of all."""
        rows = np.arange(len(looked.labels_N)) if rows is None else rows
        parts = [self._teller.guess(inputs_ND) for inputs_ND in self._inputs(looked, rows)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    @cached_property
    def _teller(self) -> Teller:
        return Teller(self.kind, self._cut(self.fit))

    def _cut(self, half: Half) -> Half:
        return (
            cut_to(half, self.settings.trees_max_train, self.settings.seed) if self.kind == "trees" else half
        )

    def _inputs(self, looked: Looked, rows: Int64Array) -> Iterator[Float32Array]:
        """Pixels block by block; what files say of all images together, since frequent words are counted."""
        if not len(rows):
            return
        if self.cue.kind != "pixels":
            yield self._encode(looked)[rows]
            return
        for start in range(0, len(rows), BLOCK):
            yield self._encode(looked.take(rows[start : start + BLOCK]))

    def _encode(self, looked: Looked) -> Float32Array:
        values = self.cue.read(looked.seen)
        if values is None:  # no image has what the cue reads
            return np.zeros((len(looked.labels_N), self.fit.inputs_ND.shape[1]), np.float32)
        columns = slice(None) if self.part is None else values.parts[self.part]
        return self.encoder.inputs(values)[:, columns]


def _cue_of(finding: CueFinding) -> Cue:
    if finding.kind == "column":
        return column_cue(finding.name.removeprefix(COLUMN))
    return find_cue(finding.name)
