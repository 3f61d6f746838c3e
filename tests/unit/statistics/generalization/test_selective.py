"""Risk and coverage: flat at random, ties by expectation, the best order has no excess."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.statistics.generalization.selective import (
    area_under_risk_coverage,
    excess_area,
    risk_coverage,
    risk_curve,
)
from pipeline.statistics.intervals import wilson


def test_confidence_at_random_gives_a_flat_curve() -> None:
    rng = np.random.default_rng(0)
    right_SN = np.tile((np.arange(200) < 150).astype(np.float64), (400, 1))
    curve_N = risk_coverage(rng.random((400, 200)), right_SN).mean(axis=0)
    assert np.abs(curve_N - 0.25).max() < 0.06
    assert area_under_risk_coverage(rng.random((400, 200)), right_SN).mean() == pytest.approx(0.25, abs=0.01)
    assert risk_coverage(np.ones((1, 200)), right_SN[:1]) == pytest.approx(np.full((1, 200), 0.25))


def test_ties_are_the_mean_over_their_orders() -> None:
    confidence_N = np.array([0.9, 0.8, 0.8, 0.8, 0.5, 0.5])
    right_N = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    curves = []
    for middle, last in itertools.product(itertools.permutations([1, 2, 3]), itertools.permutations([4, 5])):
        wrong = 1 - right_N[[0, *middle, *last]]
        curves.append(np.cumsum(wrong) / np.arange(1, 7))
    expected_N = np.mean(curves, axis=0)
    for order in (np.arange(6), np.array([5, 3, 0, 4, 2, 1])):
        found_1N = risk_coverage(confidence_N[None, order], right_N[None, order])
        assert found_1N[0] == pytest.approx(expected_N)


def test_seeds_do_not_mix() -> None:
    rng = np.random.default_rng(1)
    confidence_SN, right_SN = np.round(rng.random((4, 50)), 1), (rng.random((4, 50)) < 0.6) * 1.0
    alone = [area_under_risk_coverage(confidence_SN[s : s + 1], right_SN[s : s + 1])[0] for s in range(4)]
    assert area_under_risk_coverage(confidence_SN, right_SN) == pytest.approx(alone)


def test_excess_is_0_where_all_errors_come_last_and_largest_where_they_come_first() -> None:
    right_1N = (np.arange(20) < 15).astype(np.float64)[None]
    confidence_1N = np.linspace(1, 0.5, 20)[None]
    assert excess_area(confidence_1N, right_1N) == pytest.approx([0])
    best = sum(max(0, k - 15) / k for k in range(1, 21)) / 20
    assert area_under_risk_coverage(confidence_1N, right_1N) == pytest.approx([best])
    assert excess_area(1 - confidence_1N, right_1N) > excess_area(np.ones((1, 20)), right_1N)


def test_confidence_at_random_draws_a_level_line_and_a_telling_one_rises() -> None:
    rng = np.random.default_rng(0)
    right_SN = (rng.random((5, 4000)) < 0.7).astype(np.float64)
    flat = risk_curve(rng.random((5, 4000)), right_SN)
    assert len(flat.n_B) == 20
    assert np.abs(flat.risk_B - 0.3).max() < 0.04
    assert ((flat.low_B <= 0.3) & (flat.high_B >= 0.3)).all()
    told = risk_curve(right_SN + 0.01 * rng.random((5, 4000)), right_SN)
    assert told.risk_B[:13].tolist() == [0.0] * 13, "errors come last"
    assert told.risk_B[-1] == pytest.approx(1 - right_SN.mean())
    assert (np.diff(told.risk_B) >= 0).all()


def test_the_risk_curves_interval_is_that_of_the_images_covered() -> None:
    confidence_SN = np.tile(np.linspace(1, 0.5, 40), (5, 1))
    right_SN = np.tile((np.arange(40) % 4 > 0) * 1.0, (5, 1))
    curve = risk_curve(confidence_SN, right_SN, 4)
    assert curve.n_B.tolist() == [10, 20, 30, 40]
    assert curve.coverage_B.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert (curve.low_B[-1], curve.high_B[-1]) == pytest.approx(wilson(10, 40))


@pytest.mark.parametrize("n", [1, 7, 19])
def test_few_images_of_one_confidence_have_a_point_each(n: int) -> None:
    curve = risk_curve(np.full((1, n), 0.9), np.zeros((1, n)))
    assert curve.n_B.tolist() == list(range(1, n + 1))
    assert curve.risk_B.tolist() == [1.0] * n
    assert curve.high_B.tolist() == [1.0] * n
