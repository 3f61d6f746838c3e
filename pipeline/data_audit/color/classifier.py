"""How much a classifier that sees nothing but color knows about a target.

Shape legend: N images, D inputs, K classes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.data_audit.color.folds import stratified_folds, stratified_subset
from pipeline.data_audit.color.scores import Reading, Setup, predictability
from pipeline.records.color import Predictability
from pipeline.settings.audit import ColorSettings

REGULARIZATION = 0.1  # scikit-learn's C; small, so that weak cues are not drowned in fitted noise
MAX_ITERATIONS = 100
MAX_TREES = 2000  # of the boosted classifier; each iteration grows one tree per class
BOOSTING_ITERATIONS = (10, 100)  # least and most
LEAVES = 8  # small trees: three splits deep, enough for colors that matter only together
LEARNING_RATE = 0.3  # few iterations have to suffice for many classes ...
L2_REGULARIZATION = 10.0  # ... and without it a leaf with one class of a hundred takes far too large a step

MAX_BINS = 255  # scikit-learn's own

MakeModel = Callable[[int], Any]  # number of classes -> scikit-learn classifier, not fitted yet


class Data(NamedTuple):
    """Inputs and targets of the same images."""

    inputs_ND: Float32Array
    targets_N: Int64Array
    sources_N: Int64Array | None = None  # scene, patient or video of each; None: each image by itself

    def take(self, rows: Any) -> Data:
        sources_N = None if self.sources_N is None else self.sources_N[rows]
        return Data(self.inputs_ND[rows], self.targets_N[rows], sources_N)


class CrossFit(NamedTuple):
    """Every image as read by a classifier that was fitted on the other folds."""

    reading: Reading
    folds_N: Int64Array
    n_folds: int
    n_fitted: int  # images that each classifier saw


def linear_model(n_classes: int) -> LogisticRegression:
    """Class-balanced logistic regression: with plain weights a 95/5 imbalance would look like skill."""
    return LogisticRegression(C=REGULARIZATION, class_weight="balanced", max_iter=MAX_ITERATIONS, tol=1e-3)


class Binned(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Numbers of the bins in which trees look at values anyhow: quantiles of what each column was fitted on.

    scikit-learn finds its own bins by weighted quantiles, one call each, which takes twenty times as long as
    growing the trees. A column with few values keeps them: trees take each for a bin.
    """

    def fit(self, inputs_ND: Float32Array, _: Int64Array | None = None) -> Binned:
        self.edges_ = [_edges(column[~np.isnan(column)]) for column in inputs_ND.astype(np.float64).T]
        return self

    def transform(self, inputs_ND: Float32Array) -> Float32Array:
        binned_ND = np.array(inputs_ND, np.float64)
        for column, edges in zip(binned_ND.T, self.edges_, strict=True):
            if edges is not None:
                known = ~np.isnan(column)
                column[known] = np.searchsorted(edges, column[known])
        return binned_ND.astype(np.float32)


def _edges(values_N: Float64Array) -> Float64Array | None:
    if len(np.unique(values_N)) <= MAX_BINS:
        return None
    percentiles = np.linspace(0, 100, MAX_BINS + 1)[1:-1]
    edges: Float64Array = np.unique(np.percentile(values_N, percentiles, method="averaged_inverted_cdf"))
    return edges


def boosted_model(n_classes: int) -> Pipeline:
    """Class-balanced boosted trees, deterministic; at most about `MAX_TREES` trees."""
    fewest, most = BOOSTING_ITERATIONS
    iterations = min(most, max(fewest, MAX_TREES // n_classes))
    trees = HistGradientBoostingClassifier(
        max_bins=MAX_BINS,
        max_iter=iterations,
        max_leaf_nodes=LEAVES,
        learning_rate=LEARNING_RATE,
        l2_regularization=L2_REGULARIZATION,
        class_weight="balanced",
        early_stopping=False,
        random_state=0,
    )
    return make_pipeline(Binned(), trees)


def fit_and_read(make_model: MakeModel, fit: Data, read: Data, n_classes: int) -> Reading:
    """Fit on some images and read others; with one class to fit on, it is always that class."""
    if len(read.targets_N) == 0:
        return Reading(read.targets_N, np.zeros(0))
    seen = np.unique(fit.targets_N)
    if len(seen) < 2:
        return Reading(
            np.full(len(read.targets_N), seen[0]), np.full(len(read.targets_N), 1 / max(n_classes, 1))
        )
    model = make_model(len(seen))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early only underfits: a lower bound
        model.fit(fit.inputs_ND, fit.targets_N)
    probabilities_NK = model.predict_proba(read.inputs_ND)
    column_K = np.full(n_classes, -1)
    column_K[seen] = np.arange(len(seen))
    columns_N = column_K[read.targets_N]
    p_true_N = np.where(columns_N >= 0, probabilities_NK[np.arange(len(columns_N)), columns_N], 0.0)
    return Reading(seen[probabilities_NK.argmax(axis=1)], p_true_N)


def cross_fit(data: Data, n_classes: int, settings: ColorSettings) -> CrossFit:
    """Read every image by a linear classifier fitted on the other folds, which share no source with it."""
    n = len(data.targets_N)
    n_folds = min(settings.folds, n if data.sources_N is None else len(np.unique(data.sources_N)))
    folds_N = stratified_folds(data.targets_N, n_folds, settings.seed, data.sources_N)
    predicted_N, p_true_N = np.empty(n, np.int64), np.empty(n)
    for fold in range(n_folds):
        held_out = folds_N == fold
        if n_folds == 1:  # one source: nothing was fitted on other images
            predicted_N[:], p_true_N[:] = data.targets_N[0], 1 / max(n_classes, 1)
            break
        predicted_N[held_out], p_true_N[held_out] = fit_and_read(
            linear_model, data.take(~held_out), data.take(held_out), n_classes
        )
    return CrossFit(Reading(predicted_N, p_true_N), folds_N, n_folds, n - math.ceil(n / n_folds))


def cross_fitted(data: Data, target: str, n_classes: int, settings: ColorSettings) -> Predictability:
    """How well color tells a target's values within the split, every image read out of fold."""
    return describe_cross_fit(cross_fit(data, n_classes, settings), data, target, settings)


def describe_cross_fit(fitted: CrossFit, data: Data, target: str, settings: ColorSettings) -> Predictability:
    """The record of a cross-fit; targets are permuted within folds."""
    return predictability(
        fitted.reading,
        data.targets_N,
        Setup(target, f"train, {fitted.n_folds} folds", fitted.n_fitted, "train, held-out folds"),
        settings,
        folds_N=fitted.folds_N,
        sources_N=data.sources_N,
    )


def fitted_on_train(
    train: Data, test: Data, target: str, n_classes: int, settings: ColorSettings
) -> tuple[Predictability, Reading]:
    """Fit a linear classifier on train and read test: the record, and what it says about each image."""
    reading = fit_and_read(linear_model, train, test, n_classes)
    setup = Setup(target, "train", len(train.targets_N), "test")
    return predictability(reading, test.targets_N, setup, settings, sources_N=test.sources_N), reading


class Boosted(NamedTuple):
    """One fit of boosted trees, read on the train images it did not see and on test."""

    train: Predictability
    test: Predictability


def boosted(train: Data, test: Data, target: str, n_classes: int, settings: ColorSettings) -> Boosted | None:
    """Boosted trees fitted on a part of train; None where they are switched off.

    They see what depends on several colors together, which a linear classifier cannot. Fitted on a
    stratified subset of at most `boosted_max_train` images and never on all: the rest of train is
    read too, because a test split may be balanced on purpose so that the cue is gone there.
    """
    n = len(train.targets_N)
    size = min(settings.boosted_max_train, n - math.ceil(n / settings.folds))
    if size < 1:
        return None
    chosen_N = stratified_subset(train.targets_N, size, settings.seed, train.sources_N)
    rest = train.take(~chosen_N)
    n_rest = len(rest.targets_N)
    both = Data(
        np.concatenate([rest.inputs_ND, test.inputs_ND]), np.concatenate([rest.targets_N, test.targets_N])
    )
    size = int(chosen_N.sum())  # whole sources are about as many images as asked for
    reading = fit_and_read(boosted_model, train.take(chosen_N), both, n_classes)

    def describe(rows: slice, read_on: str, sources_N: Int64Array | None) -> Predictability:
        fitted_on = f"train, {size:,} of {n:,} images"
        setup = Setup(target, fitted_on, size, read_on, classifier="boosted")
        return predictability(reading.take(rows), both.targets_N[rows], setup, settings, sources_N=sources_N)

    return Boosted(
        train=describe(slice(None, n_rest), f"train, the other {n_rest:,} images", rest.sources_N),
        test=describe(slice(n_rest, None), "test", test.sources_N),
    )
