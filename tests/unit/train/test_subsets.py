"""Which images an epoch draws: hand-worked subsets, and frequencies by chi-square."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from pipeline.train.batches import group_balanced_order
from pipeline.train.subsets import (
    balanced_rows,
    listed_order,
    repeated_passes,
    subset_order,
    upweighted_rows,
)

GROUPS = np.repeat([0, 1, 3], [50, 7, 20])  # group 2 is empty


def test_a_balanced_subset_has_the_smallest_groups_size_of_every_group_and_no_image_twice() -> None:
    rows = balanced_rows(GROUPS, seed=0)
    assert np.bincount(GROUPS[rows], minlength=4).tolist() == [7, 7, 0, 7]
    assert len(set(rows)) == 21
    assert set(range(50, 57)) <= set(rows), "the smallest group is complete"


def test_subsets_are_seeded_and_draws_of_one_seed_differ() -> None:
    assert np.array_equal(balanced_rows(GROUPS, seed=3), balanced_rows(GROUPS, seed=3))
    assert not np.array_equal(balanced_rows(GROUPS, seed=3), balanced_rows(GROUPS, seed=4))
    assert not np.array_equal(balanced_rows(GROUPS, seed=3), balanced_rows(GROUPS, seed=3, draw=1))


def test_members_of_a_subset_are_drawn_uniformly() -> None:
    draws = [balanced_rows(GROUPS, seed=0, draw=i) for i in range(600)]
    counts = np.bincount(np.concatenate(draws), minlength=77)
    assert set(counts[50:57]) == {600}
    # 7 of 50 without replacement, 600 times; sampling without replacement only lowers chi-square
    assert chisquare(counts[:50]).pvalue > 1e-3
    assert counts[:50].std() > 0


def test_the_subset_stays_the_same_in_all_epochs_of_a_seed_and_its_order_does_not() -> None:
    epochs = [subset_order(GROUPS, 21, seed=5, epoch=epoch) for epoch in range(3)]
    for order in epochs:
        assert np.array_equal(np.sort(order), balanced_rows(GROUPS, seed=5))
    assert not np.array_equal(epochs[0], epochs[1])


def test_passes_repeat_until_the_epoch_is_full() -> None:
    order = repeated_passes(np.array([2, 5, 9]), 8, seed=0, epoch=0)
    assert len(order) == 8
    assert sorted(order[:3]) == sorted(order[3:6]) == [2, 5, 9]
    assert len(set(order[6:])) == 2, "the last pass is cut short, and repeats nothing"


@pytest.mark.parametrize("shares", [[9000, 900, 100], [400, 300, 300]])
def test_group_balanced_sampling_has_equal_group_frequencies(shares: list[int]) -> None:
    groups = np.repeat(np.arange(3), shares)
    drawn = np.concatenate([group_balanced_order(groups, seed=0, epoch=e) for e in range(5)])
    assert chisquare(np.bincount(groups[drawn])).pvalue > 1e-3
    for g in range(3):
        members = np.bincount(drawn[groups[drawn] == g], minlength=len(groups))[groups == g]
        assert chisquare(members).pvalue > 1e-3, "and equal ones inside a group"


def test_upweighting_repeats_the_hard_rows_and_keeps_all_others_once() -> None:
    rows = upweighted_rows(5, np.array([1, 4]), 3)
    assert np.bincount(rows).tolist() == [1, 3, 1, 1, 3]
    order = listed_order(rows, seed=0, epoch=0)
    assert np.bincount(order).tolist() == [1, 3, 1, 1, 3]
    assert not np.array_equal(order, listed_order(rows, seed=0, epoch=1))
