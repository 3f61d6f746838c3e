"""Group metrics do not depend on the order of images or on how groups are numbered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records.evaluation import SplitMetrics
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.intervals import accuracy_over_seeds, wilson


def measure(correct: np.ndarray, groups: np.ndarray, names: list[str], n_train: list[int]) -> SplitMetrics:
    return split_metrics(
        correct,
        groups,
        group_names=names,
        n_train=n_train,
        seeds=list(range(len(correct))),
        min_images=3,
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), n_seeds=st.integers(1, 4))
def test_permuting_images_changes_nothing_and_relabelling_only_the_order(
    seed: int, n: int, n_seeds: int
) -> None:
    rng = np.random.default_rng(seed)
    correct, groups = rng.random((n_seeds, n)) < 0.7, rng.integers(0, 4, n)
    names, n_train = ["a", "b", "c", "d"], [5, 1, 3, 2]
    result = measure(correct, groups, names, n_train)
    order = rng.permutation(n)
    shuffled = measure(correct[:, order], groups[order], names, n_train)
    relabel = rng.permutation(4)
    renamed_names, renamed_train = [""] * 4, [0] * 4
    for g in range(4):
        renamed_names[relabel[g]], renamed_train[relabel[g]] = names[g], n_train[g]
    renamed = measure(correct, relabel[groups], renamed_names, renamed_train)
    for other in (shuffled, renamed):
        assert result.worst_group.value == pytest.approx(other.worst_group.value)
        for field in ("average", "adjusted_average", "group_mean"):
            ours, theirs = getattr(result, field), getattr(other, field)
            assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 80), n_seeds=st.integers(1, 5), p=st.floats(0, 1))
def test_intervals_contain_the_value_and_are_never_narrower_than_wilson(
    seed: int, n: int, n_seeds: int, p: float
) -> None:
    correct = np.random.default_rng(seed).random((n_seeds, n)) < p
    estimate = accuracy_over_seeds(correct)
    reference = wilson(estimate.value * n, n)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low <= reference.low + 1e-12
    assert estimate.high >= reference.high - 1e-12
