"""Rates of the verdict over simulated trainings: short versions of `benchmarks.verdict_rates`."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.verdict_rates import biased_table, harder_value, harmful_rate, pays
from pipeline.core.types import Float64Array

TABLE = biased_table(2, 2, 0.95)
SOUND = np.full((2, 2), 0.92)


@pytest.mark.parametrize(
    ("accuracy_KA", "n_seeds", "scatter", "least", "most"),
    [
        (harder_value((2, 2), [0.92], 0.10, "points"), 3, 0.03, 0, 0.05),
        (harder_value((2, 2), [0.92], 0.15, "points"), 5, 0.0, 0, 0.05),
        (harder_value((2, 2), [0.85, 0.97], 0.15, "odds"), 3, 0.0, 0, 0.05),
        (pays(SOUND, TABLE, 0.15, [0, 1]), 3, 0.0, 0.8, 1),
        (pays(SOUND, TABLE, 0.15, [1]), 5, 0.0, 0.8, 1),
    ],
)
def test_a_value_that_is_harder_for_every_class_is_not_harm(
    accuracy_KA: Float64Array, n_seeds: int, scatter: float, least: float, most: float
) -> None:
    assert least <= harmful_rate(TABLE, accuracy_KA, n_seeds, scatter, repeats=15)["yes"] <= most


def test_one_training_answers_nothing() -> None:
    found = harmful_rate(TABLE, pays(SOUND, TABLE, 0.3, [0, 1]), 1, 0.0, repeats=3)
    assert found["insufficient"] == 1


def test_one_file_that_was_trained_elsewhere_is_asked_about_itself() -> None:
    """Its accuracies in groups are its own: luck of training is no error there."""
    hurt, hard = pays(SOUND, TABLE, 0.15, [0, 1]), harder_value((2, 2), [0.92], 0.10, "points")
    rates = [harmful_rate(TABLE, found, 1, 0.0, repeats=15, is_brought=True)["yes"] for found in (hurt, hard)]
    assert rates[0] >= 0.8
    assert rates[1] <= 0.1
