"""How strongly a feature, an attribute or a prediction goes together with a label.

Shape legend: N images, F features, K classes, B permutations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.intervals import score_interval, wilson
from pipeline.statistics.sources import SourcePermutations, design_effect

_CHI2_MIN_EXPECTED = 5  # below it the chi-squared distribution is a poor approximation
_PERMUTATION_BLOCK = 2_000_000  # non-zeros of one sparse product


class TableAssociation(NamedTuple):
    cramers_v: float
    p_value: float


class EffectSizes(NamedTuple):
    """Per feature: omega squared and its permutation p-value."""

    omega_squared: Float64Array
    p_values: Float64Array


class RankSeparation(NamedTuple):
    """Per class and feature, class against all others, K x F; NaN where one side has no images."""

    auroc: Float64Array
    p_values: Float64Array


def cramers_v(table: npt.NDArray[Any], *, n_permutations: int = 1000, seed: int = 0) -> TableAssociation:
    """Bias-corrected Cramer's V of a contingency table of counts, and its p-value.

    The p-value is chi-squared where all expected counts are at least 5, else from random tables with
    the same margins. Rows and columns without images are left out; a table with a single row or
    column left has V = 0 and p = 1.

    Source: Bergsma 2013 (A bias-correction for Cramer's V and Tschuprow's T).
    """
    counts = _without_empty(table)
    if min(counts.shape) < 2:
        return TableAssociation(0.0, 1.0)
    rows, columns = counts.shape
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    v = _corrected_v(counts, chi2)
    if expected.min() >= _CHI2_MIN_EXPECTED:
        return TableAssociation(v, float(stats.chi2.sf(chi2, (rows - 1) * (columns - 1))))
    random = stats.random_table(counts.sum(axis=1), counts.sum(axis=0), seed=seed).rvs(n_permutations)
    chi2_B = ((random - expected) ** 2 / expected).sum(axis=(1, 2))
    return TableAssociation(v, permutation_p(int((chi2_B >= chi2 - 1e-9).sum()), n_permutations))


def cramers_v_by_source(
    rows_N: Int64Array,
    columns_N: Int64Array,
    sources_N: Int64Array,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
) -> TableAssociation:
    """`cramers_v` of two labels per image; its p-value shuffles the rows' labels of whole sources."""
    shuffle, rng = SourcePermutations(rows_N, sources_N), np.random.default_rng(seed)
    n_columns = int(columns_N.max(initial=0)) + 1
    size = (int(rows_N.max(initial=0)) + 1) * n_columns

    def table(labels_N: Int64Array) -> Int64Array:
        counts: Int64Array = np.bincount(labels_N * n_columns + columns_N, minlength=size)
        return counts.reshape(-1, n_columns)

    def phi2(labels_N: Int64Array) -> float:
        counts = _without_empty(table(labels_N))
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        return float(((counts - expected) ** 2 / expected).sum() / counts.sum())

    observed = phi2(rows_N)
    reached = sum(phi2(shuffle.draw(rng)) >= observed - 1e-12 for _ in range(n_permutations))
    v = cramers_v(table(rows_N)).cramers_v
    return TableAssociation(v, permutation_p(reached, n_permutations))


def _without_empty(table: npt.NDArray[Any]) -> Int64Array:
    counts = np.asarray(table, np.int64)
    kept: Int64Array = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    return kept


def _corrected_v(counts: Int64Array, chi2: float) -> float:
    n, (rows, columns) = int(counts.sum()), counts.shape
    phi2 = max(0.0, chi2 / n - (rows - 1) * (columns - 1) / (n - 1))
    smaller = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return min(1.0, math.sqrt(phi2 / smaller)) if smaller > 0 else 0.0


def permutation_p(n_as_extreme: int, n_permutations: int) -> float:
    """(1 + #>=)/(B + 1): never 0, and exact because the observed labelling is one of the draws."""
    return (1 + n_as_extreme) / (n_permutations + 1)


def kappa_from_balanced(balanced_accuracy: float, n_classes: int) -> float:
    """Balanced accuracy rescaled: 0 is guessing among `n_classes`, 1 is perfect.

    Raises:
        InputError: fewer than two classes.
    """
    if n_classes < 2:
        raise InputError(f"kappa of {n_classes} classes: at least 2 are needed.")
    return (balanced_accuracy - 1 / n_classes) / (1 - 1 / n_classes)


def balanced_accuracy_estimate(
    hits_K: npt.NDArray[Any], counts_K: npt.NDArray[Any], confidence: float = 0.95
) -> Estimate:
    """Mean over classes of the share of hits, with an interval that stays inside [0, 1].

    The classes' Wilson intervals are combined (MOVER), so a class of three images that are all right
    widens the interval although its observed variance is 0.

    Raises:
        InputError: a class without images, or no classes.
    Source: Zou and Donner 2008 (Construction of confidence limits about effect measures).
    """
    if not len(counts_K) or np.min(counts_K) < 1:
        raise InputError(f"balanced accuracy of classes with {list(counts_K)} images: each needs 1.")
    recall_K = np.asarray(hits_K) / np.asarray(counts_K)
    value = float(recall_K.mean())
    bands = [wilson(hits, n, confidence) for hits, n in zip(hits_K, counts_K, strict=True)]
    below, above = (recall_K - [b.low for b in bands], [b.high for b in bands] - recall_K)
    return Estimate(
        value=value,
        low=value - float(np.linalg.norm(below)) / len(bands),
        high=value + float(np.linalg.norm(above)) / len(bands),
        n=int(np.sum(counts_K)),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected so that all tests together are wrong with the stated probability at most.

    The smallest is multiplied by M, the next by M - 1 and so on; none falls below the one before.

    Source: Holm 1979 (holds for tests that depend on each other in any way).
    """
    p_M = np.asarray(p_values, np.float64)
    order = np.argsort(p_M, kind="stable")
    corrected_M = np.empty(len(p_M))
    corrected_M[order] = np.minimum(1, np.maximum.accumulate(p_M[order] * np.arange(len(p_M), 0, -1)))
    return [float(p) for p in corrected_M]


def benjamini_hochberg(p_values: npt.NDArray[Any]) -> Float64Array:
    """q-values of the same shape: the false discovery rate at which each test is a discovery.

    Source: Benjamini and Hochberg 1995.
    """
    flat = np.asarray(p_values, np.float64).ravel()
    q: Float64Array = stats.false_discovery_control(flat) if flat.size else flat
    return q.reshape(np.shape(p_values))


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
        p_KF = 2 * stats.norm.sf(np.abs(z_KF))
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
    low, high = score_interval(auroc, n_effective, float(stats.norm.isf((1 - confidence) / 2)))
    return Estimate(value=auroc, low=low, high=high, n=len(scores_N))


def _variance(values: Float64Array) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
