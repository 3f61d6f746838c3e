"""Interval arithmetic of the verdict against published numbers and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pipeline.records.base import Estimate
from pipeline.statistics.intervals import independent_difference, widen
from tests.fixtures.report import wilson


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 20, 0.6791, 1.0000),
    ],
)
def test_difference_matches_newcombe_1998_method_10(
    a: int, m: int, b: int, n: int, low: float, high: float
) -> None:
    """Table II of Newcombe 1998 (Statistics in Medicine 17:873)."""
    found = independent_difference(wilson(a / m, m), wilson(b / n, n))
    assert found.value == pytest.approx(a / m - b / n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_widened_intervals_cover_all_cells_together() -> None:
    """20 true-null cells: the chance that any widened interval excludes zero is at most 5 %."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 20))
    wide = widen(
        Estimate(value=0, low=-norm.isf(0.025), high=norm.isf(0.025), n=1), n_comparisons=20, alpha=0.05
    )
    false_alarms = (np.abs(draws) > wide.high).any(axis=1).mean()
    assert 0.035 < false_alarms < 0.06
    assert (np.abs(draws) > norm.isf(0.025)).any(axis=1).mean() > 0.5  # what it prevents


def test_widening_for_one_comparison_changes_nothing() -> None:
    estimate = Estimate(value=0.3, low=0.1, high=0.6, n=5)
    assert widen(estimate, n_comparisons=1, alpha=0.05).low == pytest.approx(0.1)
