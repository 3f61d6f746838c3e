"""Fits of studies on planted curves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from studies.small.fits import extrapolate, first_time, fit_power_law, rank_correlation, redrawn

SIZES = np.array([100, 200, 400, 800, 1600.0])


@pytest.mark.parametrize(("exponent", "floor"), [(0.5, 0.05), (0.25, 0.0), (1.0, 0.1)])
def test_a_planted_power_law_is_found(exponent: float, floor: float) -> None:
    found = fit_power_law(SIZES, 0.4 * (SIZES / 100) ** -exponent + floor)
    assert found.exponent == pytest.approx(exponent, abs=0.02)
    assert found.at(6400.0) == pytest.approx(0.4 * 64**-exponent + floor, rel=0.02)


def test_one_outlier_moves_the_fit_little() -> None:
    error_X = 0.4 * (SIZES / 100) ** -0.5
    error_X[2] *= 1.5
    assert fit_power_law(SIZES, error_X).exponent == pytest.approx(0.5, abs=0.1)


def planted(seed: int, *, noise: float = 0.05) -> np.ndarray:
    sizes = np.array([*SIZES, 6400])
    rng = np.random.default_rng(seed)
    return (0.4 * (sizes / 100) ** -0.5 + 0.05) * np.exp(noise * rng.normal(size=(6, 6)))


@pytest.mark.slow
def test_the_interval_holds_a_held_out_size_as_often_as_it_says() -> None:
    hits = []
    for seed in range(12):
        errors_SX = planted(seed)
        law = extrapolate(SIZES, errors_SX[:, :-1], 6400, n_images=10**6, seed=seed, n_draws=60)
        hits.append(law.predicted.low <= errors_SX[:, -1].mean() <= law.predicted.high)
    assert (
        np.mean(hits) >= 0.75
    )  # fewer than 9 of 12 come once in 5,000 times where each has a chance of 0.95


def test_a_wall_at_the_held_out_size_lies_outside() -> None:
    errors_SX = planted(0)
    law = extrapolate(SIZES, errors_SX[:, :-1], 6400, n_images=1600, n_draws=60)
    assert law.predicted.low < errors_SX[:, -1].mean() < law.predicted.high
    assert law.predicted.high < 0.15  # 0.1 is true; an error that stopped to fall at 1,600 images has 0.15


def test_rank_correlation_is_that_of_scipy() -> None:
    first, second = np.random.default_rng(0).integers(0, 5, size=(2, 40)).astype(float)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, np.ones(40)) == 0


def test_redrawn_covers_a_mean_like_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=100)
    found = redrawn(lambda rows: float(values[rows].mean()), 100)
    assert found.value == values.mean()
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.1)


def test_a_level_counts_when_it_is_kept() -> None:
    times = np.array([1.0, 2, 4, 8, 16])
    assert first_time(times, np.array([0.9, 0.1, 0.5, 0.9, 0.9]), 0.5) == 4
    assert first_time(times, np.array([0.9, 0.9, 0.9, 0.9, 0.1]), 0.5) == np.inf
    assert first_time(times, np.full(5, 0.9), 0.5) == 1
