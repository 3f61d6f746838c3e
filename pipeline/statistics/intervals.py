"""Intervals for accuracies: Wilson, several seeds, simultaneous bands.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf, t_isf
from pipeline.statistics.sources import design_effect

E = TypeVar("E", bound=Estimate)
CorrectArray = npt.NDArray[Any]  # bool or 0/1
_TAIL = 0.025  # on either side of a 95 % interval
MOST_POOLED = 3.0  # degrees of freedom: groups of one model move together, in ways nobody knows


class Interval(NamedTuple):
    low: float
    high: float


class MeanVariance(NamedTuple):
    """Variance of a mean over images and seeds, split by what was drawn."""

    images: float  # which images
    seeds: float  # which seeds, and the chance in single predictions
    residual: float = 0.0  # the part of `seeds` that is chance in single predictions
    effect: float = 1.0  # images that count as one, since they share a source

    @property
    def total(self) -> float:
        return self.images + self.seeds


class SeedPool(NamedTuple):
    """What all groups of a method say together about how much seeds differ."""

    correlation: float  # of two images of a group within one seed: seed variance / variance of one prediction
    freedom: float  # its degrees of freedom, at least S - 1


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a binomial proportion.

    Raises:
        InputError: n < 1, or successes outside 0..n.
    Source: Wilson 1927; recommended by Newcombe 1998 and Brown, Cai and DasGupta 2001.

    >>> [round(end, 3) for end in wilson(9, 10)]
    [0.596, 0.982]
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"wilson({successes} of {n}): needs n >= 1 and 0 <= successes <= n.")
    return score_interval(successes / n, n, float(normal_isf((1 - confidence) / 2)))


def share_estimate(successes: int, n: int) -> Estimate:
    """A share of n images with its Wilson interval; 0 in 0..1 without images: nothing is known.

    >>> round(share_estimate(18, 20).low, 3)
    0.699
    """
    if n == 0:
        return Estimate(value=0.0, low=0.0, high=1.0, n=0)
    low, high = wilson(successes, n)
    return Estimate(value=successes / n, low=low, high=high, n=n)


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

    >>> round(sidak_confidence(4), 4)
    0.9873
    """
    if n_groups < 1:
        raise InputError(f"sidak_confidence({n_groups} groups): at least 1 is needed.")
    return float(confidence ** (1 / n_groups))


def widen(estimate: Estimate, *, n_comparisons: int, alpha: float) -> Estimate:
    """The interval made simultaneous over `n_comparisons` (Bonferroni, normal quantiles).

    >>> wide = widen(Estimate(value=0.5, low=0.4, high=0.6, n=100), n_comparisons=4, alpha=0.05)
    >>> round(wide.low, 3), round(wide.high, 3)
    (0.373, 0.627)
    """
    ratio = float(normal_isf(alpha / (2 * max(n_comparisons, 1))) / normal_isf(alpha / 2))
    return Estimate(
        value=estimate.value,
        low=estimate.value - ratio * (estimate.value - estimate.low),
        high=estimate.value + ratio * (estimate.high - estimate.value),
        n=estimate.n,
    )


def clip_difference(estimate: E, room: float = 1.0) -> E:
    """The same estimate with an interval inside -room..room; 1: where differences of shares lie."""
    return estimate.model_copy(update={"low": max(estimate.low, -room), "high": min(estimate.high, room)})


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """`first` minus `second` by the square-and-add method; n is the smaller one.

    Conservative where both are measured on the same images: their positive correlation would make the
    interval narrower.

    Source: Newcombe 1998, Statistics in Medicine 17:873, method 10.

    >>> first, second = share_estimate(56, 70), share_estimate(48, 80)  # the source's own example
    >>> found = independent_difference(first, second)
    >>> [round(x, 4) for x in (found.value, found.low, found.high)]
    [0.2, 0.0524, 0.3339]
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value=value, low=low, high=high, n=min(first.n, second.n))


def mean_variance(correct_SN: CorrectArray, sources_N: Int64Array | None = None) -> MeanVariance:
    """Variance of the mean of a table of seeds x images, both of them random; NaN = not measured.

    The variance of the seeds' accuracies over S holds the chance in single predictions already, so
    it is taken out of the variance of the images' means: counted in both, intervals would be too wide.
    For one seed all of p(1-p)/N is the images'. With `sources_N` (scene, patient of each image) the images'
    variance is that of new sources.

    Source: Searle, Casella and McCulloch 1992 (Variance Components), two-way random model.
    """
    values_SN = np.asarray(correct_SN, np.float64)
    image_N, seed_S = np.nanmean(values_SN, axis=0), np.nanmean(values_SN, axis=1)
    n_seeds, n = values_SN.shape
    variance = float(image_N.var())
    effect = 1.0 if sources_N is None else design_effect(image_N - image_N.mean(), sources_N, n * variance)
    images = effect * variance / n
    if n_seeds == 1:
        return MeanVariance(images, 0.0, effect=effect)
    squares_SN = (values_SN - image_N - seed_S[:, None] + image_N.mean()) ** 2
    residual = float(np.nanmean(squares_SN)) / (max(n - 1, 1) * (n_seeds - 1))
    return MeanVariance(max(0.0, images - residual), float(seed_S.var(ddof=1)) / n_seeds, residual, effect)


def accuracy_over_seeds(
    correct_SN: BoolArray,
    confidence: float = 0.95,
    pool: SeedPool | None = None,
    sources_N: Int64Array | None = None,
) -> Estimate:
    """Mean accuracy over seeds, with an interval for new images and new seeds.

    Wilson's formula with the effective sample size of `estimate_from_variance`, at most N. One seed
    gives the Wilson interval exactly.

    Args:
        correct_SN: whether seed s is right on image n.
        pool: what other groups say about the seeds' spread; read with two seeds only.
        sources_N: scene or patient of each image; the interval is then for new ones.

    Raises:
        InputError: no seeds or no images.

    >>> found = accuracy_over_seeds(np.array([[True] * 80 + [False] * 20] * 3))
    >>> [round(x, 3) for x in (found.value, found.low, found.high)]
    [0.8, 0.711, 0.867]
    """
    if correct_SN.ndim != 2 or 0 in correct_SN.shape:
        raise InputError(f"correct_SN has shape {correct_SN.shape}: needs at least one seed and one image.")
    n_seeds, n = correct_SN.shape
    return estimate_from_variance(
        float(correct_SN.mean()),
        mean_variance(correct_SN, sources_N),
        n=n,
        n_seeds=n_seeds,
        confidence=confidence,
        pool=pool,
    )


def estimate_from_variance(
    p: float,
    variance: MeanVariance,
    *,
    n: int,
    n_seeds: int,
    confidence: float,
    pool: SeedPool | None = None,
) -> Estimate:
    """Estimate of a mean of accuracies `p` whose variance is known, never narrower than n images allow.

    Images that share sources allow as much as n / `variance.effect` that do not.

    The squared half-width is z^2 times the images' variance plus t^2 times the seeds', each with the
    quantile that its own number of draws deserves. One quantile for the sum (Satterthwaite) takes few
    seeds that agree by luck for seeds that agree: with 3 seeds it covers as little as 92 %.

    Source: Graybill and Wang 1980 (confidence intervals on sums of variances).
    """
    p = min(max(p, 0.0), 1.0)  # a weighted mean of ones can exceed 1 by rounding
    tail = (1 - confidence) / 2
    z = float(normal_isf(tail))
    n_effective = n / variance.effect
    squared_half = z**2 * variance.images
    if variance.seeds > 0:
        center = (p * n + 2) / (n + 4)
        seeds = seed_half_width(variance, n_seeds, tail, room=center * (1 - center), pool=pool)
        squared_half += seeds**2
    if squared_half > 0 and 0 < p < 1:
        n_effective = min(n_effective, z**2 * p * (1 - p) / squared_half)
    low, high = score_interval(p, n_effective, z)
    return Estimate(value=p, low=min(low, p), high=max(high, p), n=n)


def seed_half_width(
    variance: MeanVariance, n_seeds: int, tail: float, *, room: float, pool: SeedPool | None = None
) -> float:
    """Half-width of an interval for new seeds alone: Student's t with S - 1 degrees of freedom.

    Two seeds have one degree of freedom and a quantile of 12.7. There, and only there, the other
    groups' seed variance is read too: the larger of the two counts, with up to three degrees.

    Beyond 95 % the quantile grows as the normal one does. Student's own would be 34 instead of 4.3 for
    the worst of 60 groups with three seeds, as if every group had been tried with unlucky seeds of its
    own; the groups share their seeds, and simulated bands of the worst group hold what they promise.

    Args:
        tail: chance on either side, 0.025 for 95 %.
        room: variance of one prediction, p(1-p), which the pool's variance is a share of.
    """
    seeds, freedom = variance.seeds, float(n_seeds - 1)
    if n_seeds == 2 and pool is not None:
        seeds = max(seeds, variance.residual + pool.correlation * room / n_seeds)
        freedom = max(1.0, min(pool.freedom, MOST_POOLED))
    beyond = float(normal_isf(tail) / normal_isf(_TAIL)) if tail < _TAIL else 1.0
    return float(t_isf(max(tail, _TAIL), max(freedom, 1.0))) * beyond * math.sqrt(seeds)


def satterthwaite_df(variance: MeanVariance, *, n: int, n_seeds: int) -> float:
    """Degrees of freedom of a sum of an image variance (n-1) and a seed variance (S-1)."""
    denominator = variance.images**2 / max(n - 1, 1) + variance.seeds**2 / max(n_seeds - 1, 1)
    return float(variance.total**2 / denominator)
