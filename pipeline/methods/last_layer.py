"""Train a last layer again: logistic regressions on embeddings of images from balanced groups, averaged.

Source: Kirichenko et al. 2022 (arXiv:2204.02937).

Shape legend: N images, D features, K classes, G groups.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from pipeline.core.errors import CannotTrainError
from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.records.training import LastLayer
from pipeline.statistics.accuracy.worst_group import worst_counted
from pipeline.train.subsets import balanced_rows

if TYPE_CHECKING:
    from pipeline.methods.dfr import DfrSettings

_HALVES = 13  # a random stream of its own
TUNING_FITS = 5  # balanced subsets averaged for each strength that is tried


@dataclass(frozen=True)
class Features:
    """What a last layer is trained on or judged by."""

    embeddings_ND: Float32Array | Float64Array
    labels_N: Int64Array
    groups_N: Int64Array

    def take(self, rows: Int64Array) -> Features:
        return Features(self.embeddings_ND[rows], self.labels_N[rows], self.groups_N[rows])


@dataclass(frozen=True)
class Head:
    """A linear layer: logits = embeddings @ weight.T + bias."""

    weight_KD: Float64Array
    bias_K: Float64Array

    def predict(self, embeddings_ND: Float32Array | Float64Array) -> Int64Array:
        """Class of the largest logit."""
        predicted: Int64Array = (embeddings_ND @ self.weight_KD.T + self.bias_K).argmax(1)
        return predicted


def retrain_head(
    train: Features | None, val: Features, *, settings: DfrSettings, n_classes: int, seed: int
) -> tuple[Head, LastLayer]:
    """The last layer of DFR, for embeddings as the network gives them.

    The strength is the one with the best worst group on validation images that the fits it is judged
    by have not seen: with `fit_on: val` one half of each group fits and the other half judges, then
    the chosen strength is fitted on all of it.

    Args:
        train: needed for `fit_on: train` only.

    Raises:
        CannotTrainError: a group with too few images, or a class that no balanced subset holds.
    """
    source = val if settings.fit_on == "val" else train
    assert source is not None, "fit_on: train needs embeddings of the training split"
    scale = _Scale.of(source.embeddings_ND)
    source, val = scale.apply(source), scale.apply(val)
    fit, judge = _halves(val, seed) if settings.fit_on == "val" else (source, val)
    tried = {
        strength: worst_group_accuracy(
            average_head(
                fit, strength, settings, n_classes, n_fits=min(TUNING_FITS, settings.n_fits), seed=seed
            ),
            judge,
            least=settings.min_images // 2,  # halves of the groups that the fit accepts have as many
        )
        for strength in settings.strengths
    }
    best = max(tried, key=lambda strength: (tried[strength], -strength))  # the sparser one wins ties
    head = average_head(source, best, settings, n_classes, n_fits=settings.n_fits, seed=seed)
    record = LastLayer(
        seed=seed,
        fit_on=settings.fit_on,
        penalty=settings.penalty,
        strength=best,
        tried={f"{strength:g}": accuracy for strength, accuracy in tried.items()},
        n_fits=settings.n_fits,
        images_per_group=int(np.unique(source.groups_N, return_counts=True)[1].min()),
        nonzero=float((head.weight_KD != 0).mean()),
    )
    return scale.undo(head), record


def average_head(
    features: Features, strength: float, settings: DfrSettings, n_classes: int, *, n_fits: int, seed: int
) -> Head:
    """Weights averaged over logistic regressions on balanced subsets.

    A class averages over the fits whose subset holds it.

    Raises:
        CannotTrainError: no subset holds some class.
    """
    heads = [
        fit_head(
            features.take(balanced_rows(features.groups_N, seed=seed, draw=i)),
            strength,
            settings.penalty,
            n_classes,
        )
        for i in range(n_fits)
    ]
    weights_FKD = np.stack([head.weight_KD for head in heads])
    bias_FK = np.stack([head.bias_K for head in heads])
    absent = np.flatnonzero(np.isnan(bias_FK).all(0))
    if len(absent):
        raise CannotTrainError(
            f"DFR: no balanced subset holds class {absent[0]}; its smallest group is too small. Merge groups "
            "(groups.group_by) or raise data.val_fraction."
        )
    return Head(np.nanmean(weights_FKD, 0), np.nanmean(bias_FK, 0))


def fit_head(features: Features, strength: float, penalty: str, n_classes: int) -> Head:
    """One logistic regression; classes that are absent have NaN rows.

    Two classes share one weight vector, which is split evenly, so that the difference of the logits is
    scikit-learn's decision function.

    Raises:
        CannotTrainError: fewer than two classes.
    """
    if len(np.unique(features.labels_N)) < 2:
        raise CannotTrainError(
            "DFR needs images of at least 2 classes in the split its last layer is trained on; there are "
            f"{len(np.unique(features.labels_N))}. Change methods.dfr.fit_on, or the split."
        )
    solver = "lbfgs" if penalty == "l2" else "liblinear" if len(np.unique(features.labels_N)) == 2 else "saga"
    model = LogisticRegression(
        C=strength,
        l1_ratio=1.0 if penalty == "l1" else 0.0,
        solver=solver,
        tol=1e-4 if solver != "saga" else 1e-2,  # saga is slow; its average over fits is what counts
        max_iter=1000 if solver != "saga" else 100,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features.embeddings_ND, features.labels_N)
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight_KD = np.full((n_classes, weight.shape[1]), np.nan)
    bias_K = np.full(n_classes, np.nan)
    weight_KD[model.classes_], bias_K[model.classes_] = weight, bias
    return Head(weight_KD, bias_K)


def worst_group_accuracy(head: Head, features: Features, *, least: int) -> float:
    """Accuracy of the worst of the groups that have at least `least` images, or of all where none has."""
    correct_N = head.predict(features.embeddings_ND) == features.labels_N
    n_G = np.bincount(features.groups_N)
    accuracy_G = np.bincount(features.groups_N, weights=correct_N) / np.maximum(n_G, 1)
    worst = worst_counted(accuracy_G.tolist(), n_G, least)
    assert worst is not None, "a head is judged on images"
    return worst[1]


@dataclass(frozen=True)
class _Scale:
    """Zero mean and unit variance for each feature; constant features are only centered."""

    mean_D: Float64Array
    std_D: Float64Array

    @classmethod
    def of(cls, embeddings_ND: Float32Array | Float64Array) -> _Scale:
        std_D = embeddings_ND.std(0, dtype=np.float64)
        return cls(embeddings_ND.mean(0, dtype=np.float64), np.where(std_D > 0, std_D, 1.0))

    def apply(self, features: Features) -> Features:
        scaled = (features.embeddings_ND - self.mean_D) / self.std_D
        return Features(scaled, features.labels_N, features.groups_N)

    def undo(self, head: Head) -> Head:
        """The same logits from embeddings that are not standardized."""
        weight_KD = head.weight_KD / self.std_D
        return Head(weight_KD, head.bias_K - weight_KD @ self.mean_D)


def _halves(features: Features, seed: int) -> tuple[Features, Features]:
    """Two random halves with the same shares of groups."""
    rng = np.random.default_rng([seed, _HALVES])
    first, second = [], []
    for g in np.unique(features.groups_N):
        rows = rng.permutation(np.flatnonzero(features.groups_N == g))
        first.append(rows[: len(rows) // 2])
        second.append(rows[len(rows) // 2 :])
    return features.take(np.sort(np.concatenate(first))), features.take(np.sort(np.concatenate(second)))
