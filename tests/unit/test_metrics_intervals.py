"""Intervals by hand: published Wilson numbers, several seeds, the ends 0 and 1, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.metrics.intervals import accuracy_over_seeds, sidak_confidence, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_table_of_newcombe_1998(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (7, 9), (50, 100)])
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    interval = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_wilson_refuses_impossible_counts() -> None:
    for hits, n in ((0, 0), (-1, 5), (6, 5)):
        with pytest.raises(InputError, match="needs n >= 1"):
            wilson(hits, n)


def test_sidak_by_hand() -> None:
    assert sidak_confidence(1) == pytest.approx(0.95)
    assert sidak_confidence(4) ** 4 == pytest.approx(0.95)
    with pytest.raises(InputError):
        sidak_confidence(0)


def test_one_seed_is_wilson_exactly() -> None:
    correct = np.arange(40)[None] < 27
    estimate = accuracy_over_seeds(correct)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(27, 40))
    assert (estimate.value, estimate.n) == (27 / 40, 40)


def test_identical_seeds_are_no_extra_images() -> None:
    one = np.arange(40)[None] < 27
    many = accuracy_over_seeds(one.repeat(5, axis=0))
    assert (many.low, many.high) == pytest.approx(wilson(27, 40))


def test_never_narrower_than_wilson_at_n_images() -> None:
    correct = np.array([[True, False] * 20, [False, True] * 20])  # per-image means do not vary at all
    estimate = accuracy_over_seeds(correct)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(20, 40))


@pytest.mark.parametrize("value", [False, True])
def test_all_wrong_and_all_right(value: bool) -> None:
    estimate = accuracy_over_seeds(np.full((3, 25), value))
    assert (estimate.low, estimate.high) == pytest.approx(wilson(25 * value, 25))


def test_seed_spread_widens_by_students_t() -> None:
    correct = np.zeros((2, 1000), bool)
    correct[0, :600] = True
    correct[1, :800] = True
    estimate = accuracy_over_seeds(correct)
    # Nearly all variance lies between two seeds: (0.2/sqrt 2)^2/2 = 0.01, about 1 degree of freedom.
    assert estimate.low < 0.2
    assert estimate.high > 0.9
    assert estimate.value == pytest.approx(0.7)


def test_no_images_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one"):
        accuracy_over_seeds(np.zeros((2, 0), bool))


@pytest.mark.parametrize(("n_seeds", "seed_sd"), [(1, 0.0), (3, 0.0), (3, 0.04)])
def test_coverage_of_the_true_accuracy(n_seeds: int, seed_sd: float) -> None:
    """New images and new seeds each time; images differ in difficulty, seeds in skill."""
    rng = np.random.default_rng(0)
    n, repeats, inside = 150, 400, 0
    for _ in range(repeats):
        difficulty = rng.choice([0.55, 0.95], n)
        skill = rng.normal(0, seed_sd, n_seeds)
        chance = np.clip(difficulty + skill[:, None], 0, 1)
        estimate = accuracy_over_seeds(rng.random((n_seeds, n)) < chance)
        inside += estimate.low <= 0.75 <= estimate.high
    assert inside / repeats >= 0.92
