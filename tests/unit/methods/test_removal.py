"""Which images are left out, and how many: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.methods.removal.sizes import (
    balancing_rows,
    choose_size,
    confirm_gain,
    harmful_rows,
    random_rows,
    rows_without,
    sizes_to_try,
)


def test_only_images_that_harm_are_left_out_and_sizes_are_not_repeated() -> None:
    effects_N = np.array([-3.0, 1.0, -1.0, 2.0, -2.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    assert sizes_to_try([0.5, 0.2, 0.4, 0.1], effects_N) == [1, 2, 3]
    assert harmful_rows(effects_N, 3).tolist() == [0, 4, 2]
    assert sizes_to_try([0.5], np.ones(10)) == []


def test_equal_effects_go_by_row_number() -> None:
    assert harmful_rows(np.array([0.0, -1.0, -1.0, -1.0]), 2).tolist() == [1, 2]


def test_random_rows_are_nested_and_differ_between_seeds() -> None:
    few, many = random_rows(100, 10, seed=3), random_rows(100, 40, seed=3)
    assert set(few.tolist()) < set(many.tolist())
    assert len(set(many.tolist())) == 40
    assert set(random_rows(100, 40, seed=4).tolist()) != set(many.tolist())


@pytest.mark.parametrize(
    ("size", "left"),
    [
        (0, [50, 30, 4]),
        (20, [30, 30, 4]),  # the largest comes down to the next
        (40, [20, 20, 4]),
        (72, [4, 4, 4]),
        (75, [3, 3, 3]),
    ],
)
def test_balancing_takes_from_the_largest_groups(size: int, left: list[int]) -> None:
    groups_N = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 30, 4]))
    rows = balancing_rows(groups_N, size, seed=0)
    assert len(set(rows.tolist())) == size
    assert np.bincount(groups_N[rows_without(84, rows)]).tolist() == left
    assert set(rows.tolist()) <= set(balancing_rows(groups_N, 80, seed=0).tolist())


def test_balancing_draws_at_random_within_a_group() -> None:
    groups_N = np.zeros(60, np.int64)
    first, second = (set(balancing_rows(groups_N, 20, seed=seed).tolist()) for seed in (0, 1))
    assert first != second
    assert max(first) > 40
    assert min(first) < 20


@pytest.mark.parametrize(
    ("worst_R", "chosen"),
    [
        ([0.5, 0.7, 0.9], 20),
        ([0.5, 0.89, 0.9], 10),  # within a standard error, sqrt(0.9 x 0.1 / 100) = 0.03
        ([0.5, 0.86, 0.9], 20),
        ([0.9, 0.9, 0.9], 0),  # a tie, too, goes to fewer
        ([0.89, 0.9, 0.7], 0),
        ([1.0, 1.0, 1.0], 0),
    ],
)
def test_the_least_size_within_a_standard_error_of_the_best(worst_R: list[float], chosen: int) -> None:
    assert choose_size([0, 10, 20], worst_R, n_val=100) == chosen


def tables(rng: np.random.Generator, gain: float, n_seeds: int) -> list[np.ndarray]:
    """ERM and three sizes: 3 or 5 seeds of 200 images in two groups, whose seeds scatter by 4 points."""
    accuracy = np.array([0.0, gain, gain, gain])[:, None, None] + np.array([0.9, 0.6])
    accuracy = accuracy + 0.04 * rng.normal(size=(4, n_seeds, 2))
    return list(rng.random((4, n_seeds, 200)) < np.repeat(np.clip(accuracy, 0, 1), 100, axis=2))


@pytest.mark.parametrize(("gain", "n_seeds", "least", "most"), [(0, 3, 0, 2), (0, 5, 0, 2), (0.3, 5, 36, 40)])
def test_what_few_seeds_name_all_seeds_must_confirm(gain: float, n_seeds: int, least: int, most: int) -> None:
    rng, groups = np.random.default_rng(0), np.repeat([0, 1], 100)
    confirmed, named = 0, 0
    for _ in range(40):
        erm, *others = tables(rng, gain, n_seeds)
        worst_R = [float(table[:2, 100:].mean()) for table in (erm, *others)]
        candidate = choose_size([0, 1, 2, 3], worst_R, n_val=100)
        named += candidate > 0
        confirmed += candidate > 0 and confirm_gain(erm, others[candidate - 1], groups, n_tried=3).low > 0
    assert named >= 10, "a candidate alone is mostly noise"
    assert least <= confirmed <= most


def test_fewer_than_three_seeds_confirm_nothing() -> None:
    erm, clear = np.zeros((2, 40), bool), np.ones((2, 40), bool)
    found = confirm_gain(erm, clear, np.zeros(40, np.int64), n_tried=1)
    assert (found.value, found.low, found.high) == (1, -1, 1)
