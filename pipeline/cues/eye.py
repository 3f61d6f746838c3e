"""The class that one cue names, and whether its trace in the pixels can be seen.

Shape legend: N images, D inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Float32Array, Int64Array
from pipeline.cues.cue import Cue, Seen
from pipeline.cues.encode import Encoder
from pipeline.cues.look import Looked
from pipeline.cues.registry import find_cue
from pipeline.cues.tell import Half, Kind, Teller
from pipeline.statistics.cues.association import cell_weights

TRACES = ("sharpness", "noise", "blockiness", "spectrum")  # what a file's making leaves in pixels


@dataclass(frozen=True)
class CueEye:
    """What a cue alone says of an image, learned from training images."""

    cue: Cue
    encoder: Encoder
    columns: Int64Array  # of the inputs: those of the places that are looked at
    teller: Teller

    @classmethod
    def fit(cls, cue: Cue, kind: Kind, parts: Sequence[str], train: Looked) -> CueEye | None:
        """`parts`: places that are looked at together; none: all that the cue sees.

        Returns:
            None where the training images lack what the cue reads.
        """
        values = cue.read(train.seen)
        if values is None:
            return None
        encoder = Encoder.fit(values)
        inputs_ND = encoder.inputs(values)
        everything = np.arange(inputs_ND.shape[1])
        known = [everything[values.parts[part]] for part in parts if part in values.parts]
        columns = np.concatenate(known) if known else everything
        return cls(cue, encoder, columns, Teller(kind, Half(inputs_ND[:, columns], train.labels_N)))

    def name_classes(self, seen: Seen) -> Int64Array:
        """The class that the cue names for each image, N."""
        values = self.cue.read(seen)
        if values is None:  # as an image whose every fact is missing: the classifier knows no better
            return self.teller.guess(np.zeros((len(seen), len(self.columns)), np.float32))
        return self.teller.guess(self.encoder.inputs(values)[:, self.columns])


class TraceEye:
    """Values of a cue of files by what they leave in the pixels: sharpness, noise, blocks, bands of detail.

    Fitted with weights that make every class and value count alike, so that classes say nothing of values.
    """

    def __init__(self, train: Looked, values_N: Int64Array) -> None:
        from sklearn.linear_model import LogisticRegression  # late: it takes two seconds to load

        self._cues = [find_cue(name) for name in TRACES]
        self._encoders = [Encoder.fit(values) for cue in self._cues if (values := cue.read(train.seen))]
        self._model = LogisticRegression(C=1.0, max_iter=300)
        self._model.fit(self._inputs(train.seen), values_N, cell_weights(train.labels_N, values_N))

    def name_classes(self, seen: Seen) -> Int64Array:
        """The value that each image seems to have, N."""
        return np.asarray(self._model.predict(self._inputs(seen)), np.int64)

    def _inputs(self, seen: Seen) -> Float32Array:
        read = [cue.read(seen) for cue in self._cues]
        parts = [e.inputs(v) for e, v in zip(self._encoders, read, strict=True) if v is not None]
        return np.concatenate(parts, axis=1)
