"""How much a classifier that sees nothing but color knows about a target.

Shape legend: N images, D inputs, K classes, B permutations.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.audit.folds import stratified_folds
from pipeline.core.results import Predictability
from pipeline.core.settings import ColorSettings
from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array
from pipeline.metrics.association import kappa_from_balanced, permutation_p
from pipeline.metrics.intervals import MeanVariance, estimate_from_variance

MAX_COMPONENTS = 32  # of the histogram; the rest is mostly empty bins
VARIANCE_FLOOR = 0.1  # of a rotated direction; a standardized feature has variance 1
REGULARIZATION = 0.03  # scikit-learn's C; small, so that weak cues are not drowned in fitted noise
MAX_ITERATIONS = 100
_LEAST_PROBABILITY = 1e-6  # of a class that the training folds did not contain


@dataclass(frozen=True)
class ColorInputs:
    """Turns color features into nearly uncorrelated inputs; fitted on train, without labels.

    Features of the ring, the center and the whole are strongly correlated, which makes a logistic
    regression converge slowly. Rotating them apart needs a third of the iterations; the floor under
    the variances keeps directions that hold only noise small.
    """

    scaler: StandardScaler
    pca: PCA
    pca_scale: float
    rotation: PCA

    @classmethod
    def fit(cls, features_NF: Float32Array, histogram_NB: Float32Array) -> ColorInputs:
        """Standardize the features, compress the histogram to its main components, rotate both."""
        n_components = min(MAX_COMPONENTS, *histogram_NB.shape)
        pca = PCA(n_components, svd_solver="covariance_eigh").fit(histogram_NB)
        largest = float(np.sqrt(max(pca.explained_variance_[0], 0.0)))
        pca_scale = largest if largest > 1e-6 else 1.0
        scaler = StandardScaler().fit(features_NF)
        joined_ND = np.hstack([scaler.transform(features_NF), pca.transform(histogram_NB) / pca_scale])
        return cls(scaler, pca, pca_scale, PCA(svd_solver="covariance_eigh").fit(joined_ND))

    def transform(self, features_NF: Float32Array, histogram_NB: Float32Array) -> Float32Array:
        """Inputs N x D."""
        if not len(features_NF):
            return np.zeros((0, self.rotation.n_components_), np.float32)
        components = self.pca.transform(histogram_NB) / self.pca_scale
        joined_ND = np.hstack([self.scaler.transform(features_NF), components])
        variance_D = np.maximum(self.rotation.explained_variance_, 0)
        inputs_ND = self.rotation.transform(joined_ND) / np.sqrt(variance_D + VARIANCE_FLOOR)
        return np.asarray(inputs_ND, np.float32)


class Reading(NamedTuple):
    """What a fitted classifier says about images it was not fitted on."""

    predicted: Int64Array  # N
    log2_p_true: Float64Array  # N, log2 of the probability given to the true class


def cross_fitted(
    inputs_ND: Float32Array, targets_N: Int64Array, *, target: str, n_classes: int, settings: ColorSettings
) -> Predictability:
    """Predict every train image by a classifier fitted on the other folds.

    Labels are permuted within folds: a fold's predictions depend on other folds' labels only.
    """
    folds_N = stratified_folds(targets_N, min(settings.folds, len(targets_N)), settings.seed)
    predicted_N = np.empty(len(targets_N), np.int64)
    log2_p_N = np.empty(len(targets_N))
    for fold in np.unique(folds_N):
        held_out = folds_N == fold
        reading = _fit_and_read(
            inputs_ND[~held_out], targets_N[~held_out], inputs_ND[held_out], targets_N[held_out], n_classes
        )
        predicted_N[held_out], log2_p_N[held_out] = reading
    reading = Reading(predicted_N, log2_p_N)
    return _summarize(
        reading,
        targets_N,
        folds_N,
        target=target,
        fitted_on=f"train, {settings.folds} folds",
        read_on="train, held-out folds",
        settings=settings,
    )


def fitted_on_train(
    train_ND: Float32Array,
    train_targets_N: Int64Array,
    test_ND: Float32Array,
    test_targets_N: Int64Array,
    *,
    target: str,
    n_classes: int,
    settings: ColorSettings,
) -> Predictability:
    """Fit on train, read on test; labels are permuted against the fixed predictions, which is exact."""
    reading = _fit_and_read(train_ND, train_targets_N, test_ND, test_targets_N, n_classes)
    return _summarize(
        reading,
        test_targets_N,
        np.zeros(len(test_targets_N), np.int64),
        target=target,
        fitted_on="train",
        read_on="test",
        settings=settings,
    )


def _fit_and_read(
    fit_ND: Float32Array,
    fit_targets_N: Int64Array,
    read_ND: Float32Array,
    read_targets_N: Int64Array,
    n_classes: int,
) -> Reading:
    """Class-balanced logistic regression: with plain weights a 95/5 imbalance would look like skill."""
    if len(read_targets_N) == 0:
        return Reading(read_targets_N, np.zeros(0))
    seen = np.unique(fit_targets_N)
    if len(seen) < 2:
        predicted_N = np.full(len(read_targets_N), seen[0])
        return Reading(predicted_N, np.full(len(read_targets_N), -np.log2(n_classes)))
    model = LogisticRegression(C=REGULARIZATION, class_weight="balanced", max_iter=MAX_ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early only underfits: a lower bound
        model.fit(fit_ND, fit_targets_N)
    probabilities_NK = model.predict_proba(read_ND)
    column_K = np.full(n_classes, -1)
    column_K[seen] = np.arange(len(seen))
    columns_N = column_K[read_targets_N]
    p_true_N = np.where(columns_N >= 0, probabilities_NK[np.arange(len(columns_N)), columns_N], 0.0)
    log2_p_N = np.log2(np.maximum(p_true_N, _LEAST_PROBABILITY))
    return Reading(seen[probabilities_NK.argmax(axis=1)], log2_p_N)


def _summarize(
    reading: Reading,
    targets_N: Int64Array,
    strata_N: Int64Array,
    *,
    target: str,
    fitted_on: str,
    read_on: str,
    settings: ColorSettings,
) -> Predictability:
    """Balanced accuracy, kappa with interval and permutation p, and V-information.

    V-information (Xu et al. 2020, arXiv:2002.10689) is H(Y) - cross-entropy with all classes weighted
    equally, as the classifier was fitted; below 0 it says "nothing" and is printed as 0.
    """
    present, inverse_N, counts_K = np.unique(targets_N, return_inverse=True, return_counts=True)
    n, n_classes = len(targets_N), len(present)
    if n_classes < 2:
        return Predictability(
            target=target, fitted_on=fitted_on, read_on=read_on, n=n, n_classes=n_classes,
            balanced_accuracy=0.0, kappa=0.0, low=0.0, high=0.0, p_value=1.0, v_information_bits=0.0,
        )  # fmt: skip
    correct_N = reading.predicted == targets_N
    recall_K = np.bincount(inverse_N, weights=correct_N) / counts_K
    accuracy = float(recall_K.mean())
    variance = MeanVariance(
        images=float((recall_K * (1 - recall_K) / counts_K).sum() / n_classes**2), seeds=0
    )
    band = estimate_from_variance(accuracy, variance, n=n, n_seeds=1, confidence=0.95)
    log2_p_K = np.bincount(inverse_N, weights=reading.log2_p_true) / counts_K
    return Predictability(
        target=target,
        fitted_on=fitted_on,
        read_on=read_on,
        n=n,
        n_classes=n_classes,
        balanced_accuracy=accuracy,
        kappa=kappa_from_balanced(accuracy, n_classes),
        low=kappa_from_balanced(band.low, n_classes),
        high=kappa_from_balanced(band.high, n_classes),
        p_value=_permutation_p(correct_N, reading.predicted, targets_N, strata_N, settings),
        v_information_bits=max(0.0, float(np.log2(n_classes) + log2_p_K.mean())),
    )


def _permutation_p(
    correct_N: BoolArray,
    predicted_N: Int64Array,
    targets_N: Int64Array,
    strata_N: Int64Array,
    settings: ColorSettings,
) -> float:
    """P-value of the balanced accuracy: targets shuffled within strata, predictions left alone."""
    weight_N = 1.0 / np.bincount(targets_N)[targets_N]
    observed = float(weight_N[correct_N].sum())
    order = np.argsort(strata_N, kind="stable")
    predicted_N = predicted_N[order]
    blocks = np.split(targets_N[order], np.flatnonzero(np.diff(strata_N[order])) + 1)
    weight_K = 1.0 / np.maximum(np.bincount(targets_N, minlength=int(predicted_N.max()) + 1), 1)
    rng = np.random.default_rng(settings.seed)
    reached = 0
    for _ in range(settings.permutations):
        shuffled_N = np.concatenate([rng.permutation(block) for block in blocks])
        hits = predicted_N[shuffled_N == predicted_N]
        reached += float(weight_K[hits].sum()) >= observed - 1e-9
    return permutation_p(reached, settings.permutations)
