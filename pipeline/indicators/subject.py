"""What indicators may look at: a method's networks, their answers and the data; what costs is made once.

Shape legend: S networks (seeds), N images of a split, R images of the sample, K classes, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import log_softmax

from pipeline.core.types import Float32Array, Float64Array, Int64Array, Split, SplitName
from pipeline.models.embed import embed_split
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
    starts: Sequence[Classifier] = ()  # S, the networks before training; none: not known
    shared: dict[str, Any] = field(default_factory=dict)  # what several indicators read, by its maker's name
    _logits: dict[SplitName, list[Float32Array]] = field(default_factory=dict)

    @cached_property
    def sample(self) -> Int64Array:
        """Ascending rows of test that expensive indicators look at: as many of each group."""
        return choose_by_group(self.test.groups, self.settings.images_per_group, self.settings.seed)

    @property
    def few_models(self) -> Sequence[Classifier]:
        """The networks that expensive indicators look at: the first `max_models`."""
        return self.models[: self.settings.max_models]

    def split(self, name: SplitName) -> Split:
        return {"train": self.train, "val": self.val, "test": self.test}[name]

    def log_probabilities(self, name: SplitName) -> Float64Array:
        """Natural logarithms of all probabilities of a split, S x N x K."""
        if name not in self._logits:
            images = self.split(name).images
            self._logits[name] = [predict_logits(model, images) for model in self.models]
        logits_SNK = np.stack(self._logits[name]).astype(np.float64)
        found: Float64Array = log_softmax(logits_SNK, axis=2)
        return found

    def logits(self, name: SplitName) -> Float64Array:
        """The outputs of all networks before the softmax, S x N x K."""
        self.log_probabilities(name)
        return np.stack(self._logits[name]).astype(np.float64)

    def embeddings(self, s: int, name: SplitName) -> Float32Array:
        """What the last layer of network s sees of a split, N x D."""
        return self.embed(self.models[s], self.split(name))
