"""Quantiles for an estimate that was picked, for its height, from several.

Shape legend: C critical values, T standard errors.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate

_ALPHA = 0.05
MIN_SEEDS = 3  # fewer trainings say nothing about training: how far new ones would lie is not known
_LOG_S = np.linspace(-16.0, 2.5, 600)  # the integrand is smooth in it, and its tails end within
_LOG_C = np.linspace(-8.0, 16.0, 500)


def picked_quantile(alpha: float, n_picked: int, freedom: float = math.inf) -> float:
    """Two-sided critical value for the largest of `n_picked` normal estimates over its own standard error.

    An estimate is picked by its height, which says nothing about its own standard error: one of few
    degrees of freedom is as likely to be too small as in any other. The largest of k Student's t, which
    Bonferroni allows for, is a harder case: it is picked for a standard error that is too small. With
    three seeds and 20 groups that is 28 standard errors, this is 9.8. For one estimate it is Student's
    t, with infinite degrees of freedom Šidák's normal quantile.

    Source: the studentized maximum modulus, Stoline and Ury 1979, here with independent numerators.

    >>> round(picked_quantile(0.05, 1), 2), round(picked_quantile(0.05, 20), 2)
    (1.96, 3.02)
    """
    if n_picked == 1:
        return float(
            -special.ndtri(alpha / 2) if math.isinf(freedom) else -special.stdtrit(freedom, alpha / 2)
        )
    if math.isinf(freedom):
        return float(-special.ndtri(-math.expm1(math.log1p(-alpha) / n_picked) / 2))
    return math.exp(float(np.interp(math.log(alpha), _log_tails(n_picked, freedom)[::-1], _LOG_C[::-1])))


def picked_interval(per_seed_S: Float64Array, images: float, n: int, n_picked: int = 1) -> Estimate:
    """95 % interval for new images and new seeds of a number that was picked from `n_picked`.

    Squared half-widths of images and seeds are added, each with the quantile that its number of draws
    deserves.

    Args:
        per_seed_S: the number with each seed.
        images: its variance over images.
        n: images, as they are printed.

    Source: Graybill and Wang 1980.
    """
    n_seeds = len(per_seed_S)
    squared_half = picked_quantile(_ALPHA, n_picked) ** 2 * images
    if n_seeds > 1:
        seeds = float(per_seed_S.var(ddof=1)) / n_seeds
        squared_half += picked_quantile(_ALPHA, n_picked, n_seeds - 1) ** 2 * seeds
    value, half = float(per_seed_S.mean()), math.sqrt(squared_half)
    return Estimate(value=value, low=value - half, high=value + half, n=n)


@lru_cache(maxsize=64)
def _log_tails(n_picked: int, freedom: float) -> Float64Array:
    """log P(max |Z| > c s) for every c; s squared times the freedom is chi-squared."""
    density_T = math.log(2) + freedom / 2 * (math.log(freedom / 2) + 2 * _LOG_S - np.exp(2 * _LOG_S))
    weights_T = np.exp(density_T - special.gammaln(freedom / 2)) * (_LOG_S[1] - _LOG_S[0])
    outside_CT = special.erfc(np.exp(_LOG_C[:, None] + _LOG_S) / math.sqrt(2))
    with np.errstate(divide="ignore"):  # log 0 where c s is so small that something lies beyond for sure
        above_CT = -np.expm1(n_picked * np.log1p(-outside_CT))
    tails: Float64Array = np.log(np.minimum(above_CT @ weights_T, 1.0))
    return tails
