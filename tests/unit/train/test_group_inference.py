"""Inferred groups: planted ones are found, what is not there is not, and the scores by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from pipeline.train.group_inference import (
    agreement_in_classes,
    best_match,
    cluster_groups,
    distances_to_center,
    is_error,
)

CLASSES = ["cat", "dog"]


def embeddings(
    n: int, *, apart: float, minority: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, labels and attributes; the attribute moves three of twelve features by `apart`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    attributes = (rng.random(n) < minority).astype(np.int64)
    found = rng.normal(size=(n, 12))
    found[:, :2] += 4 * labels[:, None]
    found[:, 2:5] += apart * attributes[:, None]
    return found.astype(np.float32), labels, attributes


@pytest.mark.parametrize("minority", [0.5, 0.05])
def test_planted_clusters_are_recovered_also_small_ones_and_on_validation(minority: float) -> None:
    train, labels, attributes = embeddings(1500, apart=4, minority=minority, seed=0)
    val, val_labels, val_attributes = embeddings(400, apart=4, minority=minority, seed=1)
    groups = cluster_groups((train, labels), (val, val_labels), CLASSES, per_class=2, seed=0)
    assert (groups.train_N // 2 == labels).all()
    assert (groups.val_V // 2 == val_labels).all()
    assert agreement_in_classes(groups.train_N, 2 * labels + attributes, labels) > 0.85
    assert agreement_in_classes(groups.val_V, 2 * val_labels + val_attributes, val_labels) > 0.8
    assert groups.names == ["cat, cluster 1", "cat, cluster 2", "dog, cluster 1", "dog, cluster 2"]
    counts = groups.n_train()
    assert counts[0] >= counts[1], "the largest cluster comes first"
    assert counts[2] >= counts[3]
    assert sum(counts) == 1500


def test_without_a_difference_there_is_no_agreement_although_classes_agree() -> None:
    train, labels, attributes = embeddings(1500, apart=0, minority=0.3, seed=0)
    groups = cluster_groups((train, labels), (train, labels), CLASSES, per_class=2, seed=0)
    true = 2 * labels + attributes
    assert abs(agreement_in_classes(groups.train_N, true, labels)) < 0.05
    assert adjusted_rand_score(true, groups.train_N) > 0.2, "the trap: over all images the class alone agrees"


def test_a_class_with_few_images_stays_whole() -> None:
    train, labels, _ = embeddings(200, apart=4, minority=0.5, seed=0)
    keep = np.r_[np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:5]]
    groups = cluster_groups((train[keep], labels[keep]), (train, labels), CLASSES, per_class=2, seed=0)
    assert set(groups.train_N[labels[keep] == 1]) == {2}
    assert set(groups.val_V[labels == 1]) == {2}


def test_agreement_is_weighted_by_class_size_and_skips_classes_that_are_not_split() -> None:
    labels = np.repeat([0, 1, 2], [8, 4, 10])
    true = np.r_[np.repeat([0, 1], 4), 2, 2, 3, 3, np.full(10, 4)]
    inferred = np.r_[np.repeat([0, 1], 4), 2, 3, 2, 3, np.arange(10) % 2 + 4]
    chance = adjusted_rand_score([0, 0, 1, 1], [0, 1, 0, 1])
    assert agreement_in_classes(inferred, true, labels) == pytest.approx((8 * 1.0 + 4 * chance) / 12)
    assert agreement_in_classes(inferred, labels, labels) is None


def test_best_match_by_hand() -> None:
    wanted = np.array([True] * 4 + [False] * 6)
    inferred = np.array([7, 7, 7, 1, 7, 1, 1, 1, 1, 1])
    assert best_match(wanted, inferred) == (3 / 4, 3 / 4)
    assert best_match(np.zeros(10, bool), inferred)[0] == 0.0


def test_error_groups_are_the_odd_ones() -> None:
    assert is_error(np.array([0, 1, 4, 5])).tolist() == [False, True, False, True]


def test_distances_are_from_the_own_center_in_the_own_spread() -> None:
    groups = np.repeat([0, 3], 50)
    found = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    constant = np.concatenate([found, np.ones((100, 1), np.float32)], axis=1)
    distances = distances_to_center(constant, groups)
    assert np.isfinite(distances).all(), "a feature that does not vary divides nothing"
    moved = constant.copy()
    moved[50:] = 40 * moved[50:] + 7
    np.testing.assert_allclose(distances_to_center(moved, groups), distances, rtol=1e-4)
    moved[60] += 1000
    assert distances_to_center(moved, groups).argmax() == 60
