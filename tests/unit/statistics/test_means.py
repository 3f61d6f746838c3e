"""Means and shares with gaps."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.statistics.intervals import accuracy_over_seeds
from pipeline.statistics.means import estimate_mean, estimate_share


@pytest.mark.parametrize(("n_models", "n"), [(1, 30), (3, 80), (2, 1)])
def test_a_share_without_gaps_is_an_accuracy(n_models: int, n: int) -> None:
    hits = np.random.default_rng(0).random((n_models, n)) < 0.8
    found = estimate_share(hits.astype(np.float64))
    expected = accuracy_over_seeds(hits)
    assert found is not None
    assert found.model_dump() == pytest.approx(expected.model_dump())


def test_gaps_are_left_out() -> None:
    hits = np.array([[1.0, np.nan, 0.0, np.nan], [1.0, 1.0, np.nan, np.nan]])
    share, mean = estimate_share(hits), estimate_mean(hits)
    assert share is not None
    assert mean is not None
    assert share.value == mean.value == pytest.approx(2 / 3)
    assert share.n == mean.n == 3
    assert estimate_share(np.full((2, 3), np.nan)) is None


def test_intervals_stay_within_the_range() -> None:
    signed = estimate_mean(np.array([[-0.9, 0.9, 0.3]]), least=-1)
    assert signed is not None
    assert (signed.low, signed.high) == (-1, 1)
    alone = estimate_mean(np.array([[0.2]]), least=-2, most=2)
    assert alone is not None
    assert (alone.low, alone.high) == (-2, 2)
