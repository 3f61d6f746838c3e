"""Which images are left out, and how many: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.train.removal import (
    balancing_rows,
    choose_size,
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


def test_noise_alone_seldom_leaves_anything_out() -> None:
    rng = np.random.default_rng(0)
    draws = rng.binomial(100, 0.8, size=(2000, 4)) / 100
    largest = [choose_size([0, 10, 20, 30], worst_R.tolist(), n_val=100) == 30 for worst_R in draws]
    always_best = draws.argmax(axis=1) == 3
    assert np.mean(largest) < 0.7 * np.mean(always_best)
