"""Intervals for accuracies: Wilson, several seeds, simultaneous bands.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy.typing as npt
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.core.results import Estimate
from pipeline.core.types import BoolArray

CorrectArray = npt.NDArray[Any]  # bool or 0/1


class Interval(NamedTuple):
    low: float
    high: float


class MeanVariance(NamedTuple):
    """Variance of a mean over images and seeds, split by where it comes from."""

    images: float
    seeds: float

    @property
    def total(self) -> float:
        return self.images + self.seeds


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a binomial proportion.

    Raises:
        InputError: n < 1, or successes outside 0..n.
    Source: Wilson 1927; recommended by Newcombe 1998 and Brown, Cai and DasGupta 2001.
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"wilson({successes} of {n}): needs n >= 1 and 0 <= successes <= n.")
    return score_interval(successes / n, n, float(stats.norm.isf((1 - confidence) / 2)))


def score_interval(p: float, n: float, quantile: float) -> Interval:
    """Wilson's formula for a proportion `p` with (effective) sample size `n` and a quantile for z."""
    z2 = quantile**2
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = quantile / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
    # At p = 0 and p = 1 the formula's end is exact in theory and off by rounding in practice.
    return Interval(0.0 if p == 0 else max(0.0, center - half), 1.0 if p == 1 else min(1.0, center + half))


def sidak_confidence(n_groups: int, confidence: float = 0.95) -> float:
    """Confidence each of `n_groups` intervals needs for all to hold at once with `confidence`.

    Raises:
        InputError: fewer than one group.
    Source: Sidak 1967 (exact for independent groups).
    """
    if n_groups < 1:
        raise InputError(f"sidak_confidence({n_groups} groups): at least 1 is needed.")
    return float(confidence ** (1 / n_groups))


def widen(estimate: Estimate, *, n_comparisons: int, alpha: float) -> Estimate:
    """The interval made simultaneous over `n_comparisons` (Bonferroni, normal quantiles)."""
    ratio = float(stats.norm.isf(alpha / (2 * max(n_comparisons, 1))) / stats.norm.isf(alpha / 2))
    return Estimate(
        value=estimate.value,
        low=estimate.value - ratio * (estimate.value - estimate.low),
        high=estimate.value + ratio * (estimate.high - estimate.value),
        n=estimate.n,
    )


def mean_variance(correct_SN: CorrectArray) -> MeanVariance:
    """Variance of the mean accuracy: the images' share and the seeds' share.

    Images: variance of the per-image mean correctness / N (for one seed p(1-p)/N). Seeds: variance of
    the accuracies (ddof 1) / S, 0 for one seed.
    """
    n_seeds, n = correct_SN.shape
    images = float(correct_SN.mean(axis=0).var()) / n
    seeds = float(correct_SN.mean(axis=1).var(ddof=1)) / n_seeds if n_seeds > 1 else 0.0
    return MeanVariance(images, seeds)


def accuracy_over_seeds(correct_SN: BoolArray, confidence: float = 0.95) -> Estimate:
    """Mean accuracy over seeds, with an interval for new images and new seeds.

    Wilson's formula with an effective sample size p(1-p)/variance, at most N, and Student's t with
    Satterthwaite's degrees of freedom in place of z. One seed gives the Wilson interval exactly.

    Args:
        correct_SN: whether seed s is right on image n.

    Raises:
        InputError: no seeds or no images.
    """
    if correct_SN.ndim != 2 or 0 in correct_SN.shape:
        raise InputError(f"correct_SN has shape {correct_SN.shape}: needs at least one seed and one image.")
    n_seeds, n = correct_SN.shape
    return estimate_from_variance(
        float(correct_SN.mean()),
        mean_variance(correct_SN),
        n=n,
        n_seeds=n_seeds,
        confidence=confidence,
    )


def estimate_from_variance(
    p: float, variance: MeanVariance, *, n: int, n_seeds: int, confidence: float
) -> Estimate:
    """Estimate of a mean of accuracies `p` whose variance is known, never narrower than n images allow."""
    p = min(max(p, 0.0), 1.0)  # a weighted mean of ones can exceed 1 by rounding
    n_effective = float(n)
    if variance.total > 0 and 0 < p < 1:
        n_effective = min(n_effective, p * (1 - p) / variance.total)
    tail = (1 - confidence) / 2
    quantile = float(stats.norm.isf(tail))
    if variance.seeds > 0:
        quantile = float(stats.t.isf(tail, satterthwaite_df(variance, n=n, n_seeds=n_seeds)))
    low, high = score_interval(p, n_effective, quantile)
    return Estimate(value=p, low=min(low, p), high=max(high, p), n=n)


def satterthwaite_df(variance: MeanVariance, *, n: int, n_seeds: int) -> float:
    """Degrees of freedom of a sum of an image variance (n-1) and a seed variance (S-1)."""
    denominator = variance.images**2 / max(n - 1, 1) + variance.seeds**2 / max(n_seeds - 1, 1)
    return float(variance.total**2 / denominator)
