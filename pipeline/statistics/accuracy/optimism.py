"""How much better a method looks on validation, where its epoch was selected, than on test.

Shape legend: S seeds, N images, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.records.evaluation import Optimism
from pipeline.statistics.accuracy.shrinkage import effective_sizes
from pipeline.statistics.accuracy.worst_group import correct_minimum, lowest_of
from pipeline.statistics.distributions import t_isf
from pipeline.statistics.intervals import MeanVariance, clip_difference, estimate_from_variance, mean_variance

_CONFIDENCE = 0.95


class ScoredSplit(NamedTuple):
    """Whether seed s is right on image n of a split, the images' groups, and scenes or patients."""

    correct_SN: BoolArray
    groups_N: Int64Array
    sources_N: Int64Array | None = None


def measure_optimism(val: ScoredSplit, test: ScoredSplit, considered: Sequence[int]) -> Optimism | None:
    """Validation minus test, of the average and of the worst group; None without a common group.

    Positive: validation promised more than test held. Two things make the splits' worst groups
    incomparable as they are: the minimum of the smaller split is more biased down, which hides
    optimism, and groups may differ. Both are therefore bias-corrected minima over the same groups.
    The average weighs groups as in the test split, so that a split of another mix is no optimism.

    The interval adds the squared half-widths of the two splits' images (independent) and, with
    several seeds, of the seeds' differences, which are paired: the same models are scored twice.

    Args:
        considered: groups that the worst is taken from: on both splits the same, so those with enough
            images in both, and neither split's own choice. Those without images in both are left out.

    Raises:
        InputError: the splits have other seeds.
    Source: Newcombe 1998 (difference of independent proportions, method 10).

    >>> val = ScoredSplit(np.array([[True] * 90 + [False] * 10]), np.zeros(100, np.int64))
    >>> test = ScoredSplit(np.array([[True] * 80 + [False] * 20]), np.zeros(100, np.int64))
    >>> found = measure_optimism(val, test, considered=[0])
    >>> [round(x, 2) for x in (found.average.value, found.average.low, found.average.high)]
    [0.1, 0.0, 0.2]
    """
    if len(val.correct_SN) != len(test.correct_SN):
        raise InputError(
            f"optimism of {len(val.correct_SN)} seeds on validation and {len(test.correct_SN)} on test: "
            "both splits must be scored by the same models."
        )
    shared = np.intersect1d(val.groups_N, test.groups_N)
    if not len(shared):
        return None
    chosen = [int(g) for g in considered if g in shared] or [int(g) for g in shared]
    before, after = _columns(val), _columns(test)
    counts = np.array([after[int(g)].correct_SN.shape[1] for g in shared], np.float64)
    shares = dict(zip(shared.tolist(), counts / counts.sum(), strict=True))
    worst = [_worst({g: columns[g] for g in chosen}) for columns in (before, after)]
    return Optimism(
        average=_difference(_weighted(before, shares), _weighted(after, shares)),
        worst_group=_difference(*worst),
    )


class _Column(NamedTuple):
    """One group's."""

    correct_SN: BoolArray
    variance: MeanVariance


class _Accuracy(NamedTuple):
    value: float
    images: float  # variance of the value that drawing other images brings
    per_seed_S: Float64Array
    n: int


def _columns(split: ScoredSplit) -> dict[int, _Column]:
    found = {}
    for g in np.unique(split.groups_N):
        inside_N = split.groups_N == g
        sources = None if split.sources_N is None else split.sources_N[inside_N]
        correct_SN = split.correct_SN[:, inside_N]
        found[int(g)] = _Column(correct_SN, mean_variance(correct_SN, sources))
    return found


def _weighted(columns: dict[int, _Column], shares: dict[int, float]) -> _Accuracy:
    per_seed_S = sum((share * columns[g].correct_SN.mean(axis=1) for g, share in shares.items()), np.zeros(1))
    images = sum(share**2 * columns[g].variance.images for g, share in shares.items())
    n = sum(columns[g].correct_SN.shape[1] for g in shares)
    return _Accuracy(float(per_seed_S.mean()), images, per_seed_S, n)


def _worst(columns: dict[int, _Column]) -> _Accuracy:
    """The bias-corrected minimum, as uncertain as the group that is lowest."""
    accuracy_G = np.array([column.correct_SN.mean() for column in columns.values()])
    variances = [column.variance for column in columns.values()]
    counts_G = np.array([column.correct_SN.shape[1] for column in columns.values()], np.float64)
    sizes_G = effective_sizes(accuracy_G, counts_G, np.array([v.total for v in variances]))
    lowest = lowest_of(accuracy_G, range(len(accuracy_G))).group
    per_seed_S = list(columns.values())[lowest].correct_SN.mean(axis=1)
    return _Accuracy(
        correct_minimum(accuracy_G, sizes_G), variances[lowest].images, per_seed_S, int(counts_G[lowest])
    )


def _difference(val: _Accuracy, test: _Accuracy) -> Estimate:
    first, second = _of_images(val), _of_images(test)
    n_seeds = len(val.per_seed_S)
    seeds = 0.0
    if n_seeds > 1:
        quantile = float(t_isf((1 - _CONFIDENCE) / 2, n_seeds - 1))
        seeds = quantile * float((val.per_seed_S - test.per_seed_S).std(ddof=1)) / math.sqrt(n_seeds)
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value, seeds)
    high = value + math.hypot(first.high - first.value, second.value - second.low, seeds)
    return clip_difference(Estimate(value=value, low=low, high=high, n=min(val.n, test.n)))


def _of_images(accuracy: _Accuracy) -> Estimate:
    """With the interval that the images alone deserve."""
    from_images = MeanVariance(images=accuracy.images, seeds=0.0)
    return estimate_from_variance(
        accuracy.value, from_images, n=accuracy.n, n_seeds=1, confidence=_CONFIDENCE
    )
