"""How well one feature, or one score, tells classes apart.

Shape legend: N images, F features, K classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf, normal_sf
from pipeline.statistics.intervals import score_interval
from pipeline.statistics.sources import design_effect

_PERMUTATION_BLOCK = 2_000_000  # non-zeros of one sparse product


class EffectSizes(NamedTuple):
    """Per feature: omega squared and its permutation p-value."""

    omega_squared: Float64Array
    p_values: Float64Array


class RankSeparation(NamedTuple):
    """Per class and feature, class against all others, K x F; NaN where one side has no images."""

    auroc: Float64Array
    p_values: Float64Array


def omega_squared(
    features_NF: npt.NDArray[Any], labels_N: Int64Array, n_classes: int, *, n_permutations: int, seed: int
) -> EffectSizes:
    """Share of each feature's variance that the classes explain, nearly unbiased, with p-values.

    omega^2 = (SSB - (K-1) MSW) / (SST + MSW), negative values set to 0. Labels are permuted
    `n_permutations` times; all class sums of a block of permutations are one product with a sparse
    one-hot matrix. A constant feature has omega^2 = 0 and p = 1.

    Raises:
        InputError: fewer than two classes with images, or not more images than classes.
    """
    counts_K = np.bincount(labels_N, minlength=n_classes)
    counts_K = counts_K[counts_K > 0]
    n, n_features = features_NF.shape
    if len(counts_K) < 2 or n <= len(counts_K):
        raise InputError(
            f"{n} images in {len(counts_K)} classes: needs two classes and more images than that."
        )
    values_NF = _standardize(features_NF)
    total_F = np.square(values_NF, dtype=np.float64).sum(axis=0)
    observed_F = _between_sums(values_NF, np.argsort(labels_N, kind="stable"), counts_K)[0]
    rng = np.random.default_rng(seed)
    reached_F = np.zeros(n_features, np.int64)
    block = max(1, _PERMUTATION_BLOCK // n)
    for start in range(0, n_permutations, block):
        size = min(block, n_permutations - start)
        orders = np.concatenate([rng.permutation(n) for _ in range(size)])
        reached_F += (_between_sums(values_NF, orders, counts_K) >= observed_F * (1 - 1e-6)).sum(axis=0)
    within_F = np.maximum(total_F - observed_F, 0) / (n - len(counts_K))
    constant_F = total_F == 0
    explained_F = observed_F - (len(counts_K) - 1) * within_F
    omega_F = np.clip(explained_F / np.where(constant_F, 1, total_F + within_F), 0, 1)
    p_F = (1 + reached_F) / (n_permutations + 1)
    return EffectSizes(np.where(constant_F, 0.0, omega_F), np.where(constant_F, 1.0, p_F))


def _standardize(features_NF: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Centered, unit sd, float32; columns that do not vary become exactly 0."""
    values_NF = np.asarray(features_NF, np.float64)
    centered_NF = values_NF - values_NF.mean(axis=0)
    sd_F = centered_NF.std(axis=0)
    varies_F = sd_F > 1e-9 * np.abs(values_NF).max(axis=0, initial=0)
    scaled: npt.NDArray[np.float32] = (centered_NF / np.where(varies_F, sd_F, np.inf)).astype(np.float32)
    return scaled


def _between_sums(
    values_NF: npt.NDArray[np.float32], orders: Int64Array, counts_K: Int64Array
) -> Float64Array:
    """Between-class sums of squares of centered values, one row per ordering in `orders`.

    An ordering lists the images so that the first n_0 are of class 0, the next n_1 of class 1 and so
    on, which already is the sparse one-hot matrix's list of column indices.
    """
    n_classes = len(counts_K)
    n_orders = len(orders) // len(values_NF)
    starts = np.concatenate([[0], np.cumsum(np.tile(counts_K, n_orders))])
    one_hot = sparse.csr_matrix(
        (np.ones(len(orders), np.float32), orders, starts), shape=(n_orders * n_classes, len(values_NF))
    )
    sums = np.asarray(one_hot @ values_NF, np.float64).reshape(n_orders, n_classes, -1)
    between: Float64Array = (np.square(sums) / counts_K[:, None]).sum(axis=1)
    return between


def one_vs_rest_auroc(features_NF: npt.NDArray[Any], labels_N: Int64Array, n_classes: int) -> RankSeparation:
    """Probability that a class's image has the larger feature than another's, for all K x F pairs.

    From mid-ranks, one pass for all classes; p-values from the tie-corrected normal approximation of
    the Mann-Whitney test, two-sided.

    >>> found = one_vs_rest_auroc(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0, 0, 1, 1]), 2)
    >>> found.auroc.tolist()
    [[0.0], [1.0]]
    """
    n = len(labels_N)
    counts_K = np.bincount(labels_N, minlength=n_classes).astype(np.float64)
    ranks_NF = stats.rankdata(features_NF, axis=0)
    one_hot = sparse.csr_matrix((np.ones(n), (labels_N, np.arange(n))), shape=(n_classes, n))
    wins_KF = one_hot @ ranks_NF - (counts_K * (counts_K + 1) / 2)[:, None]
    pairs_K1 = (counts_K * (n - counts_K))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        auroc_KF = np.where(pairs_K1 > 0, wins_KF / pairs_K1, np.nan)
        # The variance of the ranks carries the tie correction: (n + 1)/12 without ties.
        rank_variance_F = ranks_NF.var(axis=0, ddof=1) if n > 1 else np.zeros(features_NF.shape[1])
        z_KF = (wins_KF - pairs_K1 / 2) / np.sqrt(pairs_K1 * rank_variance_F / n)
        p_KF = 2 * normal_sf(np.abs(z_KF))
    return RankSeparation(auroc_KF, np.where(np.isnan(p_KF), 1.0, p_KF))


def auroc_estimate(
    scores_N: npt.NDArray[Any],
    positive_N: BoolArray,
    confidence: float = 0.95,
    *,
    sources_N: Int64Array | None = None,
) -> Estimate:
    """AUROC of a score for one class, with an interval that stays inside [0, 1].

    DeLong's variance turned into an effective sample size for Wilson's formula, so that perfect
    separation of few images is not reported as certain. With `sources_N` (scene, patient of each image)
    the interval is for new sources: the variance is that of sums over sources.

    Raises:
        InputError: one of the two sides has no images.
    Source: DeLong, DeLong and Clarke-Pearson 1988, by ranks as in Sun and Xu 2014;
        Obuchowski 1997 (Nonparametric analysis of clustered ROC curve data).
    """
    n_pos, n_neg = int(positive_N.sum()), int((~positive_N).sum())
    if min(n_pos, n_neg) == 0:
        raise InputError(f"AUROC of {n_pos} against {n_neg} images: both sides need at least 1.")
    ranks_N = stats.rankdata(scores_N)
    wins_pos = (ranks_N[positive_N] - stats.rankdata(scores_N[positive_N])) / n_neg
    wins_neg = (ranks_N[~positive_N] - stats.rankdata(scores_N[~positive_N])) / n_pos
    auroc = float(wins_pos.mean())
    variance = float(_variance(wins_pos) / n_pos + _variance(wins_neg) / n_neg)
    # Without separation the variance is (n+1)/(12 n1 n0), the most an AUROC of these sizes can tell.
    most = 3 * n_pos * n_neg / (n_pos + n_neg + 1)
    n_effective = min(most, auroc * (1 - auroc) / variance) if variance > 0 else float(min(n_pos, n_neg))
    if sources_N is not None:
        deviations_N = np.empty(len(scores_N))
        deviations_N[positive_N] = (wins_pos - auroc) / n_pos
        deviations_N[~positive_N] = (wins_neg - auroc) / n_neg
        n_effective = max(1.0, n_effective / design_effect(deviations_N, sources_N, variance))
    low, high = score_interval(auroc, n_effective, float(normal_isf((1 - confidence) / 2)))
    return Estimate(value=auroc, low=low, high=high, n=len(scores_N))


def _variance(values: Float64Array) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
