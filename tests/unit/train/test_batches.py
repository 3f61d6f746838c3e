"""Batch orders."""

from __future__ import annotations

import numpy as np

from pipeline.train.batches import group_balanced_order, shuffled_order, step_seed


def test_shuffled_order_is_a_permutation_that_depends_on_seed_and_epoch_alone() -> None:
    first = shuffled_order(100, seed=3, epoch=1)
    assert sorted(first) == list(range(100))
    assert np.array_equal(first, shuffled_order(100, seed=3, epoch=1))
    assert not np.array_equal(first, shuffled_order(100, seed=3, epoch=2))
    assert not np.array_equal(first, shuffled_order(100, seed=4, epoch=1))


def test_group_balanced_order_draws_every_group_equally_and_members_uniformly() -> None:
    groups = np.repeat([0, 1, 3], [9000, 900, 100])
    order = group_balanced_order(groups, seed=0, epoch=0)
    assert len(order) == 10_000
    counts = np.bincount(groups[order], minlength=4)
    assert counts[2] == 0
    # 3 groups, n = 10,000: sd 47; five of them
    np.testing.assert_allclose(counts[[0, 1, 3]], 10_000 / 3, atol=240)
    rare = np.bincount(order[groups[order] == 3] - 9900, minlength=100)
    assert rare.min() > 5, "every member of a rare group is drawn"


def test_step_seeds_differ() -> None:
    seeds = {step_seed(seed=s, epoch=e, step=t) for s in range(3) for e in range(3) for t in range(50)}
    assert len(seeds) == 450
