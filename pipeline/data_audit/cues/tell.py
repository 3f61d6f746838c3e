"""How much one cue tells of the class, in images that its classifier was not fitted on.

Shape legend: N images, K classes.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array
from pipeline.cues.look import Looked
from pipeline.cues.tell import Half, Kind, guess
from pipeline.data_audit.color.folds import stratified_folds, stratified_subset
from pipeline.statistics.cues.agreement import chance_p, count_tables

TREE_FOLDS = 2


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


def rows_looked_at(looked: Looked, most: int | None, seed: int) -> Int64Array:
    """At most so many images, each class in proportion, sources whole; all of them for None."""
    if most is None or len(looked.labels_N) <= most:
        return np.arange(len(looked.labels_N))
    return np.flatnonzero(stratified_subset(looked.labels_N, most, seed, looked.sources_N))


def cut_to(half: Half, most: int, seed: int) -> Half:
    """At most so many images, each class in proportion."""
    if len(half.labels_N) <= most:
        return half
    return half.take(stratified_subset(half.labels_N, most, seed, half.sources_N))


def p_of_guesses(predicted_N: Int64Array, half: Half, folds_N: Int64Array, n_classes: int) -> float:
    """p of agreeing so often by chance; images of one scene count as one where scenes are shared.

    Folds that lend each other images deviate a little more than that. This p only says what is asked of the
    half that confirms, on which nothing was fitted and whose interval allows for all that is asked.
    """
    tables = count_tables(predicted_N, half.labels_N, folds_N, n_classes)
    stretch = 1.0
    if half.sources_N is not None:
        stretch = float(np.sqrt(len(half.labels_N) / len(np.unique(half.sources_N))))
    return chance_p(tables, stretch=stretch)
