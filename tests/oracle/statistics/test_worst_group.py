"""Which accuracies a group is certainly below."""

from __future__ import annotations

import numpy as np
from scipy import stats

from pipeline.records.base import GroupEstimate
from pipeline.statistics.accuracy.worst_group import clear_ceiling, is_clearly_below
from pipeline.statistics.intervals import widen, wilson


def test_the_ceiling_of_a_group_is_where_both_tests_turn() -> None:
    """The exact test is asked by its tail, the ceiling by the bound that inverts it."""
    rng = np.random.default_rng(0)
    for n in (1, 3, 10, 40, 300):
        for hits in {0, n, *rng.integers(0, n + 1, 3).tolist()}:
            low, high = wilson(hits, n)
            group = GroupEstimate(index=0, name="a", value=hits / n, low=low, high=high, n=n)
            for n_groups in (1, 4, 60):
                wide = widen(group, n_comparisons=n_groups, alpha=0.05).high
                for limit in np.linspace(0.01, 1.0, 34):
                    tail = stats.binom.cdf(hits, n, limit) * n_groups
                    assert is_clearly_below(group, limit, n_groups) == (wide < limit and tail < 0.025)
    assert clear_ceiling(group.model_copy(update={"n": 0}), 4) == 1.0
