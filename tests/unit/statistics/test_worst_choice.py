"""One choice of the worst group: by hand, and the same wherever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.evaluation import MethodComparison, SplitMetrics
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.worst_group import (
    WorstGroup,
    choose_worst,
    counted,
    lowest_of,
    worst_counted,
    worst_of,
)
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods, worst_group_change

SIZES = [400, 400, 200, 12]
BEFORE, AFTER = [0.95, 0.95, 0.60, 0.20], [0.93, 0.93, 0.85, 0.20]


def plant(accuracies: list[float], groups_N: Int64Array, *, seed: int, n_seeds: int = 5) -> BoolArray:
    return np.random.default_rng(seed).random((n_seeds, len(groups_N))) < np.array(accuracies)[groups_N]


def measure(correct_SN: BoolArray, groups_N: Int64Array, *, min_images: int = 100) -> SplitMetrics:
    n_groups = int(groups_N.max()) + 1
    return split_metrics(
        correct_SN,
        groups_N,
        group_names=["same"] * n_groups,  # a name decides nothing
        n_train=[100] * n_groups,
        seeds=range(len(correct_SN)),
        min_images=min_images,
    )


def compare(
    before_SN: BoolArray, after_SN: BoolArray, groups_N: Int64Array, *, min_images: int = 100
) -> tuple[SplitMetrics, SplitMetrics, MethodComparison]:
    tiles = [measure(side, groups_N, min_images=min_images) for side in (before_SN, after_SN)]
    worst = worst_of(tiles[0])
    found = compare_methods(
        Contender("erm", before_SN, worst),
        Contender("dro", after_SN, worst_of(tiles[1])),
        groups_N,
        ["same"] * len(tiles[0].groups),
        target=Target(worst.group, len(worst.considered)),
        seed=0,
        sufficient=[group.sufficient for group in tiles[0].groups],
    )
    return tiles[0], tiles[1], found


def test_a_group_too_small_to_count_has_no_say_in_the_paired_gain() -> None:
    """Twelve images that both methods get wrong hid a gain of 24 points in the tiles' worst group."""
    groups_N = np.repeat(np.arange(4), SIZES)
    before, after, found = compare(plant(BEFORE, groups_N, seed=1), plant(AFTER, groups_N, seed=2), groups_N)
    assert (before.worst_group.index, after.worst_group.index) == (2, 2)
    shown = after.worst_group.value - before.worst_group.value
    assert shown == pytest.approx(0.25, abs=0.04)
    assert found.worst_group_gain.value == pytest.approx(shown)
    assert 0.15 < found.worst_group_gain.low < 0.25 < found.worst_group_gain.high < 0.35
    assert found.worst_group_gain.n == 1000
    seeds = [b.worst_group - a.worst_group for a, b in zip(before.per_seed, after.per_seed, strict=True)]
    assert found.per_seed_gain == pytest.approx(seeds)
    assert np.mean(seeds) == pytest.approx(shown), "its seeds are of the same group"


def test_two_groups_of_one_name_are_not_confused() -> None:
    groups_N = np.repeat(np.arange(4), 200)
    _, _, found = compare(
        plant([0.9, 0.9, 0.9, 0.5], groups_N, seed=1), plant([0.9, 0.9, 0.9, 0.8], groups_N, seed=2), groups_N
    )
    assert found.group_index == 3
    assert found.gain.value == found.groups[3].gain.value > 0.2
    assert [group.index for group in found.groups] == [0, 1, 2, 3]


def test_small_groups_that_alone_lie_below_the_average_are_named_on_both_sides() -> None:
    """The lowest that counts lies above the average: to count it alone hides who is served worse."""
    groups_N = np.repeat(np.arange(3), [300, 60, 1])
    before, after, found = compare(
        plant([0.9, 0.2, 0.0], groups_N, seed=1), plant([0.9, 0.6, 0.0], groups_N, seed=2), groups_N
    )
    assert before.considered == after.considered == [0, 1, 2]
    assert (before.worst_group.index, after.worst_group.index) == (1, 1), "one image says nothing"
    assert found.worst_group_gain.value == pytest.approx(after.worst_group.value - before.worst_group.value)
    assert 0.2 < found.worst_group_gain.low < 0.4 < found.worst_group_gain.high < 0.6
    assert [seed.worst_group_index for seed in before.per_seed] == [1] * 5
    for tile in (before, after):  # the lowest that a correction starts from is the one image
        assert tile.worst_group_corrected is None
        assert tile.gap is None


def test_a_method_may_have_another_worst_group_chosen_from_others() -> None:
    """Before, a group that counts is lowest; after, only groups too small to count lie below the average."""
    groups_N = np.repeat(np.arange(3), [300, 200, 60])
    before, after, found = compare(
        plant([0.9, 0.5, 0.6], groups_N, seed=1), plant([0.97, 0.97, 0.4], groups_N, seed=2), groups_N
    )
    assert (before.considered, before.worst_group.index) == ([0, 1], 1)
    assert (after.considered, after.worst_group.index) == ([0, 1, 2], 2)
    shown = after.worst_group.value - before.worst_group.value
    assert found.worst_group_gain.value == pytest.approx(shown)
    assert found.worst_group_gain.low < -0.1 < found.worst_group_gain.high


def test_the_choice_can_be_read_off_the_metrics() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        sizes = rng.integers(1, 150, rng.integers(1, 6))
        groups_N = np.repeat(np.arange(len(sizes)), sizes)
        found = measure(plant(rng.random(len(sizes)).tolist(), groups_N, seed=3, n_seeds=2), groups_N)
        again = choose_worst(found.groups, found.average.value)
        assert worst_of(found) == WorstGroup(again.group, list(again.considered), again.is_lowest)
        assert found.worst_group.value == found.groups[again.group].value
        assert again.is_lowest == all(found.groups[g].sufficient for g in again.considered)


def test_rows_have_their_own_worst_group_only_where_groups_are_large_enough() -> None:
    accuracy_SG = np.array([[0.9, 0.3, 0.5, 0.0], [0.9, 0.6, 0.4, 0.0]])
    large = lowest_of(accuracy_SG.mean(axis=0), [0, 1, 2])
    assert (large.group, large.groups(accuracy_SG).tolist()) == (1, [1, 2])
    assert large.accuracies(accuracy_SG).tolist() == [0.3, 0.4]
    small = WorstGroup(1, [0, 1, 2, 3], is_lowest=False)
    assert small.accuracies(accuracy_SG).tolist() == [0.3, 0.6]
    assert large.among(np.array([0, 1, 2, 5])) == large
    assert WorstGroup(5, [2, 5]).among(np.array([0, 2, 5])) == WorstGroup(2, [1, 2])


def test_sizes_alone_say_which_groups_count_in_validation() -> None:
    assert counted(np.array([30, 29, 0]), 30).tolist() == [True, False, False]
    assert counted(np.array([3, 2, 0]), 30).tolist() == [True, True, False]
    assert counted(np.array([3, 0]), 0).tolist() == [True, False]


def test_the_worst_of_validation_is_no_group_of_three_images() -> None:
    assert worst_counted([0.9, 0.7, 0.0, None], np.array([50, 40, 3, 0]), 30) == (1, 0.7)
    assert worst_counted([0.9, 0.0, None], np.array([5, 3, 0]), 30) == (1, 0.0), "none has as many"
    assert worst_counted([None], np.array([0]), 30) is None


def test_on_validation_all_groups_that_are_passed_count() -> None:
    groups_N = np.repeat(np.arange(2), [200, 40])
    before, after = plant([0.9, 0.5], groups_N, seed=1), plant([0.9, 0.8], groups_N, seed=2)
    found = worst_group_change(before, after, groups_N).estimate
    assert found.value == pytest.approx(after[:, 200:].mean() - before[:, 200:].mean())


def test_a_group_without_images_cannot_be_compared() -> None:
    ones = np.ones((1, 5), bool)
    side = Contender("erm", ones, WorstGroup(0, [0, 1]))
    with pytest.raises(InputError, match="group 1: no image of that group"):
        compare_methods(side, side, np.zeros(5, np.int64), ["a", "b"], target=Target(0), seed=0)
