"""Differences of differences against closed forms and redrawn images; quantiles of picked estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.statistics.cues.interaction import MeasuredGroups, difference_columns, interaction_weights
from pipeline.statistics.picked import picked_quantile


@pytest.mark.parametrize("freedom", [2, 4, 9])
def test_one_estimate_has_students_quantile(freedom: int) -> None:
    for alpha in (0.5, 0.05, 1e-6):
        assert picked_quantile(alpha, 1, freedom) == pytest.approx(stats.t.isf(alpha / 2, freedom))


def test_quantiles_of_the_studentized_maximum_modulus() -> None:
    # Stoline and Ury 1979, alpha .05
    for n_picked, freedom, value in (
        (2, 5, 3.09),
        (5, 5, 3.79),
        (2, 10, 2.61),
        (5, 10, 3.10),
        (20, 10, 3.82),
    ):
        assert picked_quantile(0.05, n_picked, freedom) == pytest.approx(value, abs=0.006)
    assert picked_quantile(0.05, 20) == pytest.approx(stats.norm.isf((1 - 0.95 ** (1 / 20)) / 2))


def test_the_picked_one_exceeds_its_quantile_as_often_as_stated() -> None:
    """Each estimate has a standard error of its own: being picked says nothing about it."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40_000, 8))
    errors = np.sqrt(rng.chisquare(2, size=z.shape) / 2)
    picked = np.abs(z).argmax(axis=1)
    rows = np.arange(len(z))
    beyond = np.abs(z[rows, picked]) / errors[rows, picked] > picked_quantile(0.05, 8, 2)
    assert beyond.mean() == pytest.approx(0.05, abs=0.005)


LABELS, VALUES = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2]), np.tile(np.arange(3), 3)


def test_interaction_weights_by_hand() -> None:
    usable = np.ones(9, bool)
    usable[6] = False  # class 2 lacks value 0
    weights = interaction_weights(LABELS, VALUES, paying=1, reference=0, comparable_G=usable)
    assert weights is not None
    assert weights.tolist() == [1, -1, 0, -1, 1, 0, 0, 0, 0]
    both = interaction_weights(LABELS, VALUES, paying=1, reference=0, comparable_G=np.ones(9, bool))
    assert both is not None
    assert both.tolist() == [1, -1, 0, -0.5, 0.5, 0, -0.5, 0.5, 0]
    usable[3] = False
    assert interaction_weights(LABELS, VALUES, paying=1, reference=0, comparable_G=usable) is None


def test_what_classes_and_values_cost_cancels() -> None:
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(0.6, 0.8, 3)[LABELS] - rng.uniform(0, 0.2, 3)[VALUES]
    weights = interaction_weights(LABELS, VALUES, paying=4, reference=3, comparable_G=np.ones(9, bool))
    assert weights is not None
    assert accuracy @ weights == pytest.approx(0)
    value_costs = accuracy @ difference_columns(VALUES == 2, LABELS)
    assert value_costs == pytest.approx(np.full(3, value_costs[0]))


def test_one_seed_has_the_normal_interval_on_both_scales() -> None:
    accuracy, n = np.array([0.9, 0.7, 0.8, 0.85]), np.full(4, 400.0)
    weights = np.array([1.0, -1.0, -1.0, 1.0])
    found = MeasuredGroups(accuracy[None], n).contrast(weights)
    assert found.points.value == pytest.approx(0.25)
    half = 1.96 * math.sqrt(float((accuracy * (1 - accuracy) / n).sum()))
    assert found.points.high - found.points.value == pytest.approx(half, rel=0.02)
    logit = np.log(accuracy / (1 - accuracy))
    assert found.log_odds.value == pytest.approx(logit @ weights, rel=0.01)
    half = 1.96 * math.sqrt(float((1 / (accuracy * (1 - accuracy) * n)).sum()))
    assert found.log_odds.high - found.log_odds.value == pytest.approx(half, rel=0.02)


def test_images_are_as_uncertain_as_when_they_are_redrawn() -> None:
    rng = np.random.default_rng(0)
    correct = rng.random((4, 300)) < np.array([[0.9], [0.7], [0.8], [0.85]])
    weights = np.array([1.0, -1.0, -1.0, 1.0])
    redrawn = rng.binomial(300, correct.mean(axis=1), size=(4000, 4)) / 300 @ weights
    found = MeasuredGroups(correct.mean(axis=1)[None], np.full(4, 300.0)).contrast(weights).points
    assert (found.low, found.high) == pytest.approx(np.quantile(redrawn, [0.025, 0.975]), abs=0.01)


def test_seeds_are_as_uncertain_as_students_t_says() -> None:
    shifts = np.array([-0.03, 0.0, 0.03])[:, None] * np.array([1.0, 0.0, 0.0, 0.0])
    found = MeasuredGroups(0.8 + shifts, np.full(4, 1e9)).contrast(np.array([1.0, -1.0, -1.0, 1.0])).points
    assert found.high == pytest.approx(stats.t.isf(0.025, 2) * 0.03 / math.sqrt(3), rel=1e-3)
    of_twenty = MeasuredGroups(0.8 + shifts, np.full(4, 1e9)).contrast(
        np.array([1.0, -1.0, -1.0, 1.0]), n_picked=20
    )
    assert of_twenty.points.high > 2 * found.high


def test_a_group_without_images_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="needs images"):
        MeasuredGroups(np.full((1, 2), 0.5), np.array([10.0, 0.0])).contrast(np.array([1.0, -1.0]))
