"""Which images are featurized and audited."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.attribution.selection import choose_listed, choose_targets, choose_train
from pipeline.core.types import Split
from pipeline.statistics.sampling import choose_by_group


def _split(groups: np.ndarray, labels: np.ndarray | None = None) -> Split:
    n = len(groups)
    return Split(
        name="test",
        images=np.zeros((n, 2, 2, 3), np.uint8),
        labels=np.zeros(n, np.int64) if labels is None else labels,
        attributes=np.zeros(n, np.int64),
        groups=groups,
        ids=np.arange(n),
        files=np.array([str(i) for i in range(n)]),
    )


def test_targets_are_equal_parts_of_groups_and_small_groups_enter_whole() -> None:
    groups = np.repeat([0, 1, 3], [50, 4, 20])
    rows = choose_targets(_split(groups), 10, seed=0)
    assert np.bincount(groups[rows], minlength=4).tolist() == [10, 4, 0, 10]
    assert (np.diff(rows) > 0).all()


def test_targets_ignore_labels_repeat_and_nest() -> None:
    groups = np.random.default_rng(0).integers(0, 3, 300)
    rows = choose_targets(_split(groups), 20, seed=5)
    other_labels = _split(groups, labels=np.arange(300) % 7)
    np.testing.assert_array_equal(rows, choose_targets(other_labels, 20, seed=5))
    assert set(rows) <= set(choose_targets(_split(groups), 30, seed=5))
    assert not np.array_equal(rows, choose_targets(_split(groups), 20, seed=6))


def test_audited_images_have_maps_where_more_maps_are_made() -> None:
    """GradCAM draws by the same order, so that a report can show both of one image."""
    groups = np.random.default_rng(1).integers(0, 3, 300)
    assert set(choose_targets(_split(groups), 20, seed=5)) <= set(choose_by_group(groups, 40, seed=5))


def test_targets_of_an_empty_split_are_none() -> None:
    assert choose_targets(_split(np.zeros(0, np.int64)), 5, seed=0).tolist() == []


@pytest.mark.parametrize("max_train", [None, 1000, 1200])
def test_all_training_images_where_they_fit(max_train: int | None) -> None:
    np.testing.assert_array_equal(choose_train(np.zeros(1000, int), max_train, 0), np.arange(1000))


def test_rare_groups_are_kept_whole() -> None:
    groups = np.repeat([0, 1, 2, 3], [3498, 184, 56, 1057])  # Waterbirds' sizes
    rows = choose_train(groups, 1000, seed=0)
    counts = np.bincount(groups[rows])
    # half of 1,000 in equal parts: 56 enter whole, the others get 148; the rest goes by size
    assert counts.sum() == 1000
    assert counts[2] == 56
    assert counts[1] >= 148
    assert counts[0] > counts[3] > counts[1]


def test_more_groups_than_budget() -> None:
    groups = np.repeat(np.arange(300), 2)
    assert len(choose_train(groups, 100, seed=0)) == 100


def test_all_test_images_are_targets_where_none_are_left_out() -> None:
    assert choose_targets(_split(np.array([0, 0, 1])), None, seed=0).tolist() == [0, 1, 2]


def test_listed_targets_are_spread_evenly_over_groups() -> None:
    groups = np.repeat([0, 1, 2, 5], [1000, 40, 3, 500])
    chosen = choose_listed(groups, 104, seed=0)
    counts = np.bincount(groups[chosen], minlength=6)
    assert counts.sum() == 104
    assert counts[2] == 3
    assert max(counts[[0, 1, 5]]) - min(counts[[0, 1, 5]]) <= 1
    np.testing.assert_array_equal(chosen, choose_listed(groups, 104, seed=0))
    assert (chosen != choose_listed(groups, 104, seed=1)).any()
    assert choose_listed(groups, 5000, seed=0).tolist() == list(range(len(groups)))
    assert len(choose_listed(np.arange(300), 100, seed=0)) == 100, "more groups than may be listed"
