"""How much one cue tells of the class, in images that its classifier was not fitted on.

Shape legend: N images, D inputs, K classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neighbors import NearestCentroid

from pipeline.audit.color.folds import stratified_folds, stratified_subset
from pipeline.core.types import Float32Array, Int64Array
from pipeline.statistics.cues.agreement import chance_p, count_tables

SHRINKAGE = 0.1  # of the covariance towards the identity: inputs are scaled, and some are nearly equal
LEAST_T = 2.5  # standard errors; what a pixel's class means differ by less is taken for chance
TREE_FOLDS = 2
# Trees that vote know any number of classes at once; boosted ones are one a class and round, and wait for
# their threads: on 375 images they took thirty times as long.
N_TREES, DEPTH = 60, 10
STRETCH = float(np.sqrt(2))  # of deviations under cross-fitting, as the color audit widens them
Kind = Literal["linear", "pixels", "trees"]
Guesser = Callable[[Float32Array], Int64Array]


@dataclass(frozen=True)
class Half:
    """Images that a cue is tried on: their inputs, classes, and scenes where they share some."""

    inputs_ND: Float32Array
    labels_N: Int64Array
    sources_N: Int64Array | None = None

    def take(self, rows: Any) -> Half:
        sources_N = None if self.sources_N is None else self.sources_N[rows]
        return Half(self.inputs_ND[rows], self.labels_N[rows], sources_N)


def guess(kind: Kind, fit: Half, inputs_ND: Float32Array) -> Int64Array:
    """The class of each image, by a classifier for which all classes are equally likely."""
    return learn(kind, fit)(inputs_ND) if len(inputs_ND) else np.zeros(0, np.int64)


def learn(kind: Kind, fit: Half) -> Guesser:
    """The classifier of `guess`, fitted: inputs N x D of any images -> their classes."""
    seen = np.unique(fit.labels_N)
    if len(seen) < 2:
        return _Constant(int(seen[0]) if len(seen) else 0)
    model = _model(kind, len(seen))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant inputs: they tell nothing
        try:
            model.fit(fit.inputs_ND, fit.labels_N)
        except ValueError:  # a nearest centroid of images that are all alike
            return _Constant(int(seen[0]))
    return lambda inputs_ND: np.asarray(model.predict(inputs_ND), np.int64)


@dataclass(frozen=True)
class _Constant:
    label: int

    def __call__(self, inputs_ND: Float32Array) -> Int64Array:
        return np.full(len(inputs_ND), self.label, np.int64)


def cross_guess(kind: Kind, half: Half, n_folds: int, seed: int) -> tuple[Int64Array, Int64Array]:
    """Each image's class by a classifier of the other folds, and the folds."""
    n_folds = min(n_folds, len(half.labels_N) if half.sources_N is None else len(np.unique(half.sources_N)))
    if n_folds < 2:
        return np.full(len(half.labels_N), half.labels_N[0]), np.zeros(len(half.labels_N), np.int64)
    folds_N = stratified_folds(half.labels_N, n_folds, seed, half.sources_N)
    predicted_N = np.empty(len(half.labels_N), np.int64)
    for fold in range(n_folds):
        out = folds_N == fold
        predicted_N[out] = guess(kind, half.take(~out), half.inputs_ND[out])
    return predicted_N, folds_N


def cut_to(half: Half, most: int, seed: int) -> Half:
    """At most so many images, each class in proportion."""
    if len(half.labels_N) <= most:
        return half
    return half.take(stratified_subset(half.labels_N, most, seed, half.sources_N))


def p_of_guesses(predicted_N: Int64Array, half: Half, folds_N: Int64Array, n_classes: int) -> float:
    """p of agreeing so often by chance; images of one scene count as one where scenes are shared."""
    tables = count_tables(predicted_N, half.labels_N, folds_N, n_classes)
    stretch = STRETCH
    if half.sources_N is not None:
        stretch *= float(np.sqrt(len(half.labels_N) / len(np.unique(half.sources_N))))
    return chance_p(tables, stretch=stretch)


def _model(kind: Kind, n_classes: int) -> Any:
    if kind == "pixels":
        return NearestCentroid(shrink_threshold=LEAST_T, priors="uniform")
    if kind == "trees":
        return ExtraTreesClassifier(
            n_estimators=N_TREES, max_depth=DEPTH, min_samples_leaf=5, class_weight="balanced", random_state=0
        )
    priors = np.full(n_classes, 1 / n_classes)
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE, priors=priors)
