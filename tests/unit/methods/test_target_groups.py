"""What repair aims at: groups that fall behind, given or found as clusters of attribution vectors."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import Int64Array
from pipeline.methods.removal.targets import TargetGroups, cluster_targets, target_weights


def make_targets(groups_V: list[int], parents: list[str]) -> TargetGroups:
    names = [f"g{i}" for i in range(len(parents))]
    return TargetGroups(np.array(groups_V), names, parents, np.arange(len(parents)))


def test_groups_count_by_how_far_they_fall_behind_their_class() -> None:
    targets = make_targets([0, 0, 1, 2, 2, 3, 3, 3], ["a", "a", "b", "b"])
    weights_V = target_weights(targets, np.array([0.9, 0.5, 0.6, 0.8]))
    # gaps 0, 0.4, 0.2, 0: two thirds on the one image of g1, a third on the two of g2
    assert weights_V == pytest.approx([0, 0, 2 / 3, 1 / 6, 1 / 6, 0, 0, 0])


def test_where_none_falls_behind_the_worst_group_is_aimed_at() -> None:
    targets = make_targets([0, 1, 1], ["a", "b"])
    assert target_weights(targets, np.array([0.9, 0.4])).tolist() == [0, 0.5, 0.5]


def test_the_worst_group_is_one_that_counts() -> None:
    targets = TargetGroups(np.array([0, 0, 1, 2]), ["x", "y", "z"], ["a", "a", "a"], np.array([0, 2]))
    correct_SV = np.array([[True, False, False, True]])
    assert targets.accuracies(correct_SV).tolist() == [[0.5, 1.0]]
    assert targets.worst(correct_SV) == 0


def make_vectors(n_small: int, *, gap: float, seed: int = 0) -> tuple[np.ndarray, Int64Array, Int64Array]:
    """Two classes of 100 vectors; in each, the last `n_small` lie apart by `gap` standard deviations."""
    rng = np.random.default_rng(seed)
    vectors_VD = rng.standard_normal((200, 30))
    small_V = np.tile(np.arange(100) >= 100 - n_small, 2).astype(np.int64)
    vectors_VD[small_V == 1, 0] += gap
    return vectors_VD, np.repeat([0, 1], 100), small_V


def test_planted_clusters_are_found_and_the_larger_comes_first() -> None:
    vectors_VD, labels_V, small_V = make_vectors(20, gap=12)
    found = cluster_targets(vectors_VD, labels_V, ["a", "b"], seed=0)
    assert (found.groups_V == 2 * labels_V + small_V).mean() > 0.98
    assert found.parents_G == ["a", "a", "b", "b"]


def test_a_cluster_too_small_to_judge_leaves_the_class_whole() -> None:
    vectors_VD, labels_V, _ = make_vectors(4, gap=40)
    found = cluster_targets(vectors_VD, labels_V, ["a", "b"], seed=0)
    assert np.unique(found.groups_V).tolist() == [0, 2]
    assert found.counted_G.tolist() == [0, 2]


def test_equal_vectors_and_few_images_form_no_clusters() -> None:
    equal = cluster_targets(np.ones((60, 8)), np.repeat([0, 1], 30), ["a", "b"], seed=0)
    assert np.unique(equal.groups_V).tolist() == [0, 2]
    few = cluster_targets(make_vectors(9, gap=9)[0][85:100], np.zeros(15, np.int64), ["a"], seed=0)
    assert np.unique(few.groups_V).tolist() == [0]
