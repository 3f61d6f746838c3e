"""A classifier of what one cue reads: the class that the cue alone names.

Shape legend: N images, D inputs.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.core.types import Float32Array, Int64Array
from pipeline.statistics.discriminant import Discriminant

SHRINKAGE = 0.1  # of the covariance towards the identity: inputs are scaled, and some are nearly equal
LEAST_T = 2.5  # standard errors; what an input's class means differ by less is taken for chance
MOST_AVERAGED = 20_000  # images
# Trees that vote know any number of classes at once; boosted ones are one a class and round, and wait for
# their threads: on 375 images they took thirty times as long.
N_TREES, DEPTH = 30, 10
Kind = Literal["linear", "centroids", "trees"]


@dataclass(frozen=True)
class Half:
    """Images that a cue is tried on: their inputs, classes, and scenes where they share some."""

    inputs_ND: Float32Array
    labels_N: Int64Array
    sources_N: Int64Array | None = None

    def take(self, rows: Any) -> Half:
        sources_N = None if self.sources_N is None else self.sources_N[rows]
        return Half(self.inputs_ND[rows], self.labels_N[rows], sources_N)


class Teller:
    """Names a class from one cue's inputs, by a classifier for which all classes are equally likely."""

    def __init__(self, kind: Kind, fit: Half) -> None:
        seen = np.unique(fit.labels_N)
        self._only = int(seen[0]) if len(seen) else 0  # what is guessed where there is nothing to tell apart
        self._model: Any = None
        if len(seen) < 2:
            return
        if kind == "centroids":  # means are as good of fewer images, and of all of them take gigabytes
            fit = fit.take(slice(None, None, math.ceil(len(fit.labels_N) / MOST_AVERAGED)))
        if kind == "linear":
            self._model = Discriminant.fit(fit.inputs_ND, fit.labels_N, SHRINKAGE)
            return
        model = _model(kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constant inputs: they tell nothing
            try:
                model.fit(fit.inputs_ND, fit.labels_N)
            except ValueError:  # a nearest centroid of images that are all alike
                return
        self._model = model

    def guess(self, inputs_ND: Float32Array) -> Int64Array:
        if self._model is None or not len(inputs_ND):
            return np.full(len(inputs_ND), self._only, np.int64)
        return np.asarray(self._model.predict(inputs_ND), np.int64)


def guess(kind: Kind, fit: Half, inputs_ND: Float32Array) -> Int64Array:
    """The class of each image, by a classifier fitted for it."""
    return Teller(kind, fit).guess(inputs_ND)


def _model(kind: Kind) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier  # late: it takes two seconds to load
    from sklearn.neighbors import NearestCentroid

    if kind == "centroids":
        return NearestCentroid(shrink_threshold=LEAST_T, priors="uniform")
    return ExtraTreesClassifier(
        n_estimators=N_TREES, max_depth=DEPTH, min_samples_leaf=5, class_weight="balanced", random_state=0
    )
