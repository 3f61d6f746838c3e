"""Scores that tell images unlike the training images (out of distribution) from others, and how well they do.

Every score is higher where an image is more novel.

Shape legend: N training images, M other images, D features, K classes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf
from pipeline.statistics.intervals import score_interval

NEIGHBORS = 50  # Sun et al.'s choice for CIFAR-10
_RESAMPLES = 100
_PASSED = 0.95  # of the known images

Features = npt.NDArray[Any]  # float


def mahalanobis_scores(train_ND: Features, labels_N: Int64Array, other_MD: Features) -> Float64Array:
    """Squared Mahalanobis distance to the nearest class mean, M; one covariance for all classes.

    The covariance is shrunk as Ledoit and Wolf do: features that never vary, or more of them than images, do
    no harm.

    Source: Lee et al. 2018 (A Simple Unified Framework); Ledoit and Wolf 2004.
    """
    from sklearn.covariance import LedoitWolf  # late: it takes a second to load

    train_ND, other_MD = np.asarray(train_ND, np.float64), np.asarray(other_MD, np.float64)
    classes_K, codes_N = np.unique(labels_N, return_inverse=True)
    means_KD = np.stack([train_ND[codes_N == k].mean(axis=0) for k in range(len(classes_K))])
    fitted = LedoitWolf(assume_centered=True, store_precision=False).fit(train_ND - means_KD[codes_N])
    variances_D, axes_DD = np.linalg.eigh(fitted.covariance_)
    if not variances_D[-1] > 0:
        raise InputError(
            "All features of all training images equal their class's mean: there is no distance."
        )
    whiten_DD = axes_DD / np.sqrt(np.maximum(variances_D, 1e-12 * variances_D[-1]))
    white_MD, centers_KD = other_MD @ whiten_DD, means_KD @ whiten_DD
    squared_MK = np.stack([((white_MD - center_D) ** 2).sum(axis=1) for center_D in centers_KD], axis=1)
    nearest_M: Float64Array = squared_MK.min(axis=1)
    return nearest_M


def neighbor_scores(train_ND: Features, other_MD: Features, k: int = NEIGHBORS) -> Float64Array:
    """Distance to the k-th nearest training image of features of length 1, M; k is at most N.

    Source: Sun et al. 2022 (Out-of-Distribution Detection with Deep Nearest Neighbors).
    """
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(train_ND))
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", n_jobs=1).fit(_of_length_1(train_ND))
    distance_M: Float64Array = search.kneighbors(_of_length_1(other_MD))[0][:, -1].astype(np.float64)
    return distance_M


def _of_length_1(features_ND: Features) -> Float64Array:
    values_ND = np.asarray(features_ND, np.float64)
    lengths_N1 = np.linalg.norm(values_ND, axis=1, keepdims=True)
    unit_ND: Float64Array = np.divide(
        values_ND, lengths_N1, out=np.zeros_like(values_ND), where=lengths_N1 > 0
    )
    return unit_ND


def softmax_scores(logits_MK: Features) -> Float64Array:
    """Minus the largest probability, M.

    Source: Hendrycks and Gimpel 2017.

    >>> softmax_scores(np.log([[0.9, 0.1]])).round(2).tolist()
    [-0.9]
    """
    logits_MK = np.asarray(logits_MK, np.float64)
    scores_M: Float64Array = -np.exp(logits_MK.max(axis=1) - logsumexp(logits_MK, axis=1))
    return scores_M


def energy_scores(logits_MK: Features) -> Float64Array:
    """Free energy of the outputs at temperature 1, M.

    Source: Liu et al. 2020 (Energy-based Out-of-distribution Detection).

    >>> energy_scores(np.array([[0.0, 0.0]])).round(3).tolist()
    [-0.693]
    """
    energy_M: Float64Array = -logsumexp(np.asarray(logits_MK, np.float64), axis=1)
    return energy_M


def auroc(known_N: Float64Array, novel_M: Float64Array) -> float:
    """Chance that a novel image scores higher than a known one, equal scores counting half.

    `cues.separation.auroc_estimate` has DeLong's interval.

    >>> auroc(np.array([0.1, 0.2]), np.array([0.2, 0.9]))
    0.875
    """
    sorted_N = np.sort(known_N)
    below_M = np.searchsorted(sorted_N, novel_M, "left") + np.searchsorted(sorted_N, novel_M, "right")
    return float(below_M.mean() / 2 / len(known_N))


def false_positive_rate(known_N: Float64Array, novel_M: Float64Array) -> float:
    """Share of novel images taken for known ones where 95 % of the known are (FPR at 95 % TPR); n/a: NaN.

    >>> false_positive_rate(np.arange(100.0), np.array([50.0, 200.0]))
    0.5
    """
    if min(len(known_N), len(novel_M)) == 0:
        return math.nan
    return float((novel_M <= np.quantile(known_N, _PASSED, method="inverted_cdf")).mean())


def false_positive_estimate(known_N: Float64Array, novel_M: Float64Array, *, seed: int = 0) -> Estimate:
    """`false_positive_rate` with a 95 % interval: the threshold is drawn along with the novel images.

    The variance of redrawing both sides is turned into an effective sample size for Wilson's formula.

    Raises:
        InputError: a side has no images.
    """
    if min(len(known_N), len(novel_M)) == 0:
        raise InputError(f"{len(known_N)} known and {len(novel_M)} novel images: both sides need at least 1.")
    rng, value = np.random.default_rng(seed), false_positive_rate(known_N, novel_M)
    draws = [
        false_positive_rate(rng.choice(known_N, len(known_N)), rng.choice(novel_M, len(novel_M)))
        for _ in range(_RESAMPLES)
    ]
    variance, n = float(np.var(draws, ddof=1)), float(len(novel_M))
    n_effective = min(n, value * (1 - value) / variance) if variance > 0 and 0 < value < 1 else n
    low, high = score_interval(value, n_effective, float(normal_isf(0.025)))
    return Estimate(value=value, low=low, high=high, n=len(known_N) + len(novel_M))
