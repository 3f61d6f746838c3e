"""Validation minus test: nothing where nothing was selected, and a planted promise that was not kept."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.statistics.accuracy.optimism import ScoredSplit, measure_optimism
from pipeline.statistics.intervals import Interval, wilson


def draw(rng: np.random.Generator, accuracy: list[float], size: int, n_seeds: int = 1) -> ScoredSplit:
    groups = np.repeat(np.arange(len(accuracy)), size)
    return ScoredSplit(rng.random((n_seeds, len(groups))) < np.array(accuracy)[groups], groups)


def test_one_seed_is_newcombes_interval() -> None:
    val = ScoredSplit((np.arange(70) < 56)[None], np.zeros(70, np.int64))
    test = ScoredSplit((np.arange(80) < 48)[None], np.zeros(80, np.int64))
    found = measure_optimism(val, test, [0])
    assert found is not None
    for estimate in (found.average, found.worst_group):  # Table II of Newcombe 1998, row (a)
        assert estimate.value == pytest.approx(0.2)
        assert (estimate.low, estimate.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_nothing_selected_no_optimism_although_validation_is_small() -> None:
    """The smaller split's minimum is lower by chance; correcting takes most of that out."""
    rng = np.random.default_rng(5)
    raw, corrected, covered = [], [], []
    for _ in range(60):
        val, test = draw(rng, [0.75] * 8, 40), draw(rng, [0.75] * 8, 400)
        found = measure_optimism(val, test, range(8))
        assert found is not None
        lows = [s.correct_SN.reshape(8, -1).mean(axis=1).min() for s in (val, test)]
        raw.append(lows[0] - lows[1])
        corrected.append(found.worst_group.value)
        covered.append(
            (
                found.average.low <= 0 <= found.average.high,
                found.worst_group.low <= 0 <= found.worst_group.high,
            )
        )
    assert np.mean(raw) < -0.06
    assert abs(np.mean(corrected)) < 0.5 * abs(np.mean(raw))
    assert np.mean(covered, axis=0) == pytest.approx([0.95, 0.95], abs=0.05)


def test_the_best_of_many_epochs_on_little_validation_is_optimistic() -> None:
    """Planted: 40 epochs of one true accuracy, the one kept is the best on 100 validation images."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(30):
        epochs = [draw(rng, [0.7, 0.7], 50) for _ in range(40)]
        best = max(epochs, key=lambda split: float(split.correct_SN.mean()))
        found = measure_optimism(best, draw(rng, [0.7, 0.7], 500), [0, 1])
        assert found is not None
        gains.append(found.average.value)
    assert np.mean(gains) > 0.06


def test_the_average_weighs_groups_as_the_test_split_does() -> None:
    val = ScoredSplit(np.array([[1] * 90 + [0] * 10], bool), np.repeat([0, 1], [90, 10]))
    test = ScoredSplit(np.array([[1] * 50 + [0] * 50], bool), np.repeat([0, 1], [50, 50]))
    found = measure_optimism(val, test, [0, 1])
    assert found is not None
    assert found.average.value == 0, "both groups are equally good on both splits"


def test_seeds_that_shift_both_splits_alike_do_not_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat([[0.6], [0.8], [0.9]], 4000, axis=1)
    groups = np.zeros(4000, np.int64)
    val, test = (ScoredSplit(rng.random(rows.shape) < rows, groups) for _ in range(2))
    found = measure_optimism(val, test, [0])
    assert found is not None
    assert found.average.high - found.average.low < 0.12  # seeds of their own: 0.7


def test_splits_without_a_common_group_or_with_other_seeds() -> None:
    ones = np.ones((1, 4), bool)
    zeros = np.zeros(4, np.int64)
    assert measure_optimism(ScoredSplit(ones, zeros), ScoredSplit(ones, zeros + 1), [0]) is None
    with pytest.raises(InputError, match="same models"):
        measure_optimism(ScoredSplit(ones.repeat(2, 0), zeros), ScoredSplit(ones, zeros), [0])


def test_all_right_is_not_certain() -> None:
    ones = ScoredSplit(np.ones((1, 20), bool), np.zeros(20, np.int64))
    found = measure_optimism(ones, ones, [0])
    assert found is not None
    assert found.average.value == 0
    assert Interval(found.average.low, found.average.high) == pytest.approx(
        (wilson(20, 20).low - 1, 1 - wilson(20, 20).low)
    )
