"""Tails and quantiles are those of scipy.stats, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.statistics import distributions as ours

TAILS = np.concatenate(
    [[0.025, 0.05, 0.5, 0.975], 10 ** -np.linspace(0.01, 16, 150), 1 - np.logspace(-15, -1, 50)]
)
FREEDOM = np.array([0.5, 1, 1.5, 2, 3, 4.7, 10, 29, 100, 1e4, 1e9, np.inf, np.nan])[:, None]
SHAPES = np.array([0.5, 1, 1.5, 2, 7, 20.3, 166, 1000.7])
A, B = SHAPES[:, None, None], SHAPES[:, None]
Z = np.concatenate([np.linspace(-40, 40, 401), [-np.inf, np.inf, np.nan]])


@pytest.mark.parametrize(
    ("found", "theirs", "arguments"),
    [
        (ours.normal_cdf, stats.norm.cdf, (Z,)),
        (ours.normal_sf, stats.norm.sf, (Z,)),
        (ours.normal_isf, stats.norm.isf, (np.concatenate([TAILS, [0, 1, -0.1, 1.1, np.nan]]),)),
        (ours.t_ppf, stats.t.ppf, (TAILS, FREEDOM)),
        (ours.t_isf, stats.t.isf, (TAILS, FREEDOM)),
        (ours.chi2_sf, stats.chi2.sf, (np.linspace(0, 300, 400), np.arange(1, 60)[:, None])),
        (ours.beta_ppf, stats.beta.ppf, (TAILS[(TAILS > 1e-6) & (TAILS < 0.999)], A, B)),
        (ours.beta_isf, stats.beta.isf, (TAILS, A, B)),
    ],
)
def test_they_are_those_of_scipy(
    found: Callable[..., Any], theirs: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    np.testing.assert_array_equal(found(*arguments), theirs(*arguments))


@pytest.mark.parametrize("n", [1, 2, 10, 166, 5000])
def test_a_binomial_tail_is_that_of_scipy_up_to_no_chance_at_all(n: int) -> None:
    hits, p = np.arange(n + 1), np.array([0, 1e-9, 0.01, 0.3, 0.77, 0.99, 1 - 1e-12, 1])[:, None]
    np.testing.assert_array_equal(ours.binomial_logsf(hits, n, p), stats.binom.logsf(hits, n, p))


def test_numbers_give_numbers() -> None:
    given = [ours.normal_isf(0.025), ours.t_isf(0.025, 2), ours.beta_isf(0.025, 3, 4), ours.chi2_sf(1.0, 2)]
    assert all(isinstance(number, float) for number in given)
