"""Tails and quantiles of a few distributions, as scipy.stats has them, without its second of loading.

Each is the function that scipy.stats calls itself: the same numbers to the last digit, which a test compares.
Arguments are broadcast; numbers give a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special


def normal_cdf(z: npt.ArrayLike) -> Any:
    """Chance of a standard normal number below z."""
    return special.ndtr(z)


def normal_sf(z: npt.ArrayLike) -> Any:
    """Chance of a standard normal number above z."""
    return special.ndtr(np.negative(z))


def normal_isf(tail: npt.ArrayLike) -> Any:
    """What a standard normal number exceeds with the chance `tail` in [0, 1].

    >>> round(float(normal_isf(0.025)), 3)
    1.96
    """
    return -special.ndtri(tail)


def t_ppf(chance: npt.ArrayLike, freedom: npt.ArrayLike) -> Any:
    """What Student's t is below with the `chance` in (0, 1); `freedom` > 0, infinite for the normal."""
    return special.stdtrit(freedom, chance)


def t_isf(tail: npt.ArrayLike, freedom: npt.ArrayLike) -> Any:
    """What Student's t exceeds with the chance `tail` in (0, 1); `freedom` > 0, infinite for the normal.

    >>> round(float(t_isf(0.025, 2)), 3)
    4.303
    """
    return -special.stdtrit(freedom, tail)


def chi2_sf(chi2: npt.ArrayLike, freedom: npt.ArrayLike) -> Any:
    """Chance of a larger `chi2`, which is at least 0."""
    return special.chdtrc(freedom, chi2)


def beta_ppf(chance: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Any:
    """What a beta-distributed share is below with the `chance`, in [1e-6, 1]; a, b > 0."""
    return special.betaincinv(a, b, chance)


def beta_isf(tail: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Any:
    """What a beta-distributed share exceeds with the chance `tail` in [0, 1]; a, b > 0."""
    return special.betainccinv(a, b, tail)


def binomial_logsf(hits: npt.ArrayLike, n: npt.ArrayLike, p: npt.ArrayLike) -> Any:
    """Log of the chance of more than `hits` (whole, at least 0) of `n`; minus infinity where all are hits."""
    misses = np.subtract(n, hits)
    chance = np.where(misses > 0, special.betainc(np.add(hits, 1.0), np.maximum(misses, 1), p), 0.0)
    with np.errstate(divide="ignore"):
        return np.log(chance)
