"""Accuracies of many small groups, pulled towards each other as far as chance explains their spread.

Shape legend: G groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from pipeline.core.types import Float64Array
from pipeline.records.base import GroupEstimate
from pipeline.statistics.distributions import beta_isf, beta_ppf

_ROUNDING = 1e-12
_LEAST_GROUPS = 3  # two groups say nothing about how groups spread
_LOG_PRECISION = (np.log(0.1), np.log(1e6))
_CONFIDENCE = 0.95


class BetaPrior(NamedTuple):
    """How the groups' true accuracies spread: a beta distribution."""

    mean: float
    precision: float  # a + b: as many images as the prior is worth

    def weight(self, sizes_G: Float64Array) -> Float64Array:
        """Share of a group's distance from the mean that is kept, in (0, 1)."""
        return sizes_G / (sizes_G + self.precision)


def effective_sizes(accuracy_G: Float64Array, sizes_G: Float64Array, total_G: Float64Array) -> Float64Array:
    """Images that a single model would need for the variance `total_G` of each group's mean.

    Where it is 0 or the group is all right or all wrong, the group's images; never below 1. What rounding
    leaves of 0, where seeds err equally often and on different images, is 0.
    """
    room_G = accuracy_G * (1 - accuracy_G)
    known_G = (room_G > 0) & (total_G > _ROUNDING * room_G)
    effective_G = np.where(known_G, room_G / np.where(known_G, total_G, 1.0), sizes_G)
    return np.maximum(1.0, effective_G)


def fit_beta_prior(accuracy_G: Float64Array, sizes_G: Float64Array) -> BetaPrior:
    """The prior under which these accuracies are most likely (beta-binomial, real-valued counts).

    The mean is uniform, and the precision has the density that makes the kept share n/(n + precision)
    uniform: without them few groups that happen to be close would be declared equal, and groups that
    are all right declared perfect, with intervals of no width.

    Source: Skellam 1948 (beta-binomial); Christiansen and Morris 1997 (uniform shrinkage prior).
    """
    from scipy import optimize  # late: trainings load this module and fit nothing

    hits_G, misses_G = accuracy_G * sizes_G, (1 - accuracy_G) * sizes_G
    typical = float(1.0 / np.mean(1.0 / sizes_G))  # the harmonic mean

    def cost(parameters: Float64Array) -> float:
        mean, precision = special.expit(parameters[0]), np.exp(parameters[1])
        a, b = mean * precision, (1 - mean) * precision
        likelihood = special.betaln(hits_G + a, misses_G + b) - special.betaln(a, b)
        log_density = np.log(mean * (1 - mean)) + parameters[1] - 2 * np.log(precision + typical)
        return -float(likelihood.sum() + log_density)

    pooled = float((hits_G.sum() + 0.5) / (sizes_G.sum() + 1))
    best = min(
        (
            optimize.minimize(
                cost,
                np.array([special.logit(pooled), np.log(start)]),
                method="L-BFGS-B",
                bounds=[(-12.0, 12.0), _LOG_PRECISION],
            )
            for start in (typical / 10, typical, typical * 10)
        ),
        key=lambda found: float(found.fun),
    )
    return BetaPrior(float(special.expit(best.x[0])), float(np.exp(best.x[1])))


def shrink_groups(groups: Sequence[GroupEstimate], variances: Mapping[int, float]) -> list[GroupEstimate]:
    """Each group's accuracy given all groups: the posterior mean, with its central 95 %.

    For ranking and for pictures of many small groups, where the raw extremes are mostly luck. Never
    for a verdict: the interval holds on average over groups, not for the one that stands out.

    Args:
        groups: as measured; those without images are left as they are.
        variances: of the groups' means, over images and seeds, by the group's position.

    Returns:
        The groups in the same order. With fewer than three groups that have images, as measured.
    """
    present = [i for i, group in enumerate(groups) if group.n]
    if len(present) < _LEAST_GROUPS:
        return list(groups)
    accuracy_G = np.array([groups[i].value for i in present])
    counts_G = np.array([groups[i].weight for i in present], np.float64)
    sizes_G = effective_sizes(accuracy_G, counts_G, np.array([variances[i] for i in present]))
    prior = fit_beta_prior(accuracy_G, sizes_G)
    a_G = accuracy_G * sizes_G + prior.mean * prior.precision
    b_G = (1 - accuracy_G) * sizes_G + (1 - prior.mean) * prior.precision
    tail = (1 - _CONFIDENCE) / 2
    low_G, high_G = beta_ppf(tail, a_G, b_G), beta_isf(tail, a_G, b_G)
    shrunk = list(groups)
    for i, value, low, high in zip(present, a_G / (a_G + b_G), low_G, high_G, strict=True):
        # the mean of a very skewed posterior may lie outside its central 95 %
        ends = {"low": min(float(low), float(value)), "high": max(float(high), float(value))}
        shrunk[i] = groups[i].model_copy(update={"value": float(value), **ends})
    return shrunk
