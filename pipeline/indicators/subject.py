"""What indicators may look at: a method's networks, their answers and the data; what costs is made once.

Shape legend: S networks (seeds), N images of a split, R images of the sample, K classes, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import log_softmax

from pipeline.core.types import Float32Array, Float64Array, Int64Array, Split, SplitName, UInt8Array
from pipeline.indicators.others import OtherDataset
from pipeline.models.embed import embed_split
from pipeline.models.fused import fuse_for_prediction
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.settings.indicators import IndicatorsSettings
from pipeline.statistics.sampling import choose_by_group

Embed = Callable[[Classifier, Split], Float32Array]


@dataclass
class Subject:
    """One method on one dataset. `models` are in evaluation mode and must be left as they were found."""

    train: Split
    val: Split
    test: Split
    seeds: list[int]
    models: list[Classifier]  # S; none: only predictions are known
    predicted_SN: Int64Array  # of test
    confidence_SN: Float64Array | None  # probability of the predicted class, of test; None: not known
    settings: IndicatorsSettings
    n_classes: int
    embed: Embed = embed_split
    trained_on_val: bool = False  # validation images trained the model: they measure nothing
    others: Mapping[str, OtherDataset | None] = field(default_factory=dict)  # None: asked for and not packed
    group_names: Sequence[str] = ()  # for people; none: groups are numbered
    starts: Sequence[Classifier] = ()  # S, the networks before training; none: not known
    shared: dict[str, Any] = field(default_factory=dict)  # what several indicators read, by its maker's name
    _logits: dict[SplitName, Float64Array] = field(default_factory=dict)
    _log_probabilities: dict[SplitName, Float64Array] = field(default_factory=dict)
    _embeddings: dict[tuple[int, SplitName], Float32Array] = field(default_factory=dict)

    @cached_property
    def sample(self) -> Int64Array:
        """Ascending rows of test that expensive indicators look at: as many of each group."""
        return choose_by_group(self.test.groups, self.settings.images_per_group, self.settings.seed)

    @property
    def few_models(self) -> Sequence[Classifier]:
        """The networks that expensive indicators look at: the first `max_models`."""
        return self.models[: self.settings.max_models]

    def group_title(self, group: int) -> str:
        """A group for people, quoted: what a report calls it may take the place of its name."""
        return f"'{self.group_names[group]}'" if self.group_names else f"group {group}"

    def split(self, name: SplitName) -> Split:
        return {"train": self.train, "val": self.val, "test": self.test}[name]

    def log_probabilities(self, name: SplitName) -> Float64Array:
        """Natural logarithms of all probabilities of a split, S x N x K."""
        if name not in self._log_probabilities:
            self._log_probabilities[name] = log_softmax(self.logits(name), axis=2)
        return self._log_probabilities[name]

    def logits(self, name: SplitName) -> Float64Array:
        """The outputs of all networks before the softmax, S x N x K."""
        if name not in self._logits:
            images = self.split(name).images
            logits = [predict_logits(fuse_for_prediction(model), images) for model in self.models]
            self._logits[name] = np.stack(logits).astype(np.float64)
        return self._logits[name]

    def embeddings(self, s: int, name: SplitName) -> Float32Array:
        """What the last layer of network s sees of a split, N x D."""
        if (s, name) not in self._embeddings:
            self._embeddings[s, name] = self.embed(self.models[s], self.split(name))
        return self._embeddings[s, name]

    def embed_images(self, s: int, images_MHW3: UInt8Array) -> Float32Array:
        """What the last layer of network s sees of any images of this size, M x D."""
        # what is embedded is a split: its labels and all else are not looked at
        stand_in = replace(self.train.take(np.zeros(len(images_MHW3), np.int64)), images=images_MHW3)
        return embed_split(self.models[s], stand_in)

    @property
    def packed_others(self) -> dict[str, OtherDataset]:
        """Those of `others` that are there."""
        return {name: other for name, other in self.others.items() if other is not None}
