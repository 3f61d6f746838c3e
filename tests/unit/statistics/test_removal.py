"""Repair against a control: a planted gain is found, and none where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.core.types import BoolArray
from pipeline.records.evaluation import RemovalComparison
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.comparison.removal import compare_removal

GROUPS_N = np.repeat([0, 1, 2], [200, 200, 5])


def draw(*accuracies: float, seed: int) -> BoolArray:
    """Five seeds of right and wrong answers; the last group is too small to count."""
    p_N = np.array(accuracies)[GROUPS_N]
    return np.random.default_rng(seed).random((5, len(GROUPS_N))) < p_N


def compare(control_SN: BoolArray, repaired_SN: BoolArray) -> RemovalComparison:
    arguments: dict[str, Any] = {
        "group_names": ["a", "b", "few"],
        "n_train": [9, 9, 9],
        "seeds": list(range(5)),
        "min_images": 50,
    }
    control, repaired = (split_metrics(side, GROUPS_N, **arguments) for side in (control_SN, repaired_SN))
    return compare_removal(
        "random", control_SN, repaired_SN, GROUPS_N, metrics=(control, repaired), n_removed=30, seed=0
    )


def test_a_gain_in_the_controls_worst_group_is_found() -> None:
    found = compare(draw(0.9, 0.5, 0.0, seed=1), draw(0.85, 0.8, 0.0, seed=2))
    assert found.control_worst.name == "b", "a group too small to judge is not the worst"
    assert found.gain.value == pytest.approx(0.3, abs=0.06)
    assert found.gain.low > 0.15
    assert found.worst_group_gain.value == pytest.approx(found.gain.value), (
        "nor is it the worst of either side"
    )
    assert found.p_value < 0.01
    assert (found.n_removed, found.n_seeds, found.control) == (30, 5, "random")


def test_as_good_a_control_leaves_no_gain() -> None:
    found = compare(draw(0.9, 0.7, 1.0, seed=1), draw(0.9, 0.7, 1.0, seed=2))
    assert found.gain.low < 0 < found.gain.high
    assert found.p_value > 0.05
    same = draw(0.9, 0.7, 1.0, seed=1)
    assert compare(same, same).gain.value == 0
