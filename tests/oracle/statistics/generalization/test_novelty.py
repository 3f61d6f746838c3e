"""Scores of novel images against scikit-learn, and numbers that pytorch-ood gave."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.statistics.cues.separation import auroc_estimate
from pipeline.statistics.generalization.novelty import (
    auroc,
    energy_scores,
    false_positive_estimate,
    false_positive_rate,
    mahalanobis_scores,
    neighbor_scores,
    softmax_scores,
)


class Planted(NamedTuple):
    train_ND: Float64Array
    labels_N: Int64Array
    known_MD: Float64Array
    novel_MD: Float64Array
    weights_DK: Float64Array


@pytest.fixture(scope="module")
def planted() -> Planted:
    """Three classes of one covariance, and points of another kind."""
    rng = np.random.default_rng(0)
    means_KD, shape_DD = 3 * rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    labels_N = rng.integers(0, 3, 600)
    train_ND = means_KD[labels_N] + rng.normal(size=(600, 4)) @ shape_DD
    known_labels_M = rng.integers(0, 3, 200)
    known_MD = means_KD[known_labels_M] + rng.normal(size=(200, 4)) @ shape_DD
    return Planted(train_ND, labels_N, known_MD, 4 * rng.normal(size=(150, 4)), means_KD.T)


def test_mahalanobis_is_scikit_learns_to_the_nearest_mean(planted: Planted) -> None:
    means_KD = np.stack([planted.train_ND[planted.labels_N == k].mean(axis=0) for k in range(3)])
    fitted = LedoitWolf(assume_centered=True).fit(planted.train_ND - means_KD[planted.labels_N])
    expected_M = np.min([fitted.mahalanobis(planted.novel_MD - mean_D) for mean_D in means_KD], axis=0)
    found_M = mahalanobis_scores(planted.train_ND, planted.labels_N, planted.novel_MD)
    assert found_M == pytest.approx(expected_M)


def test_mahalanobis_is_close_to_pytorch_oods_without_shrinkage(planted: Planted) -> None:
    known_M, novel_M = (
        mahalanobis_scores(planted.train_ND, planted.labels_N, part)
        for part in (planted.known_MD, planted.novel_MD)
    )
    # pytorch-ood 0.4.0, Mahalanobis; its scatter is neither divided by N nor shrunk
    assert known_M[:3] == pytest.approx([4.5193, 4.7528, 4.9781], rel=0.09)
    assert auroc(known_M, novel_M) == pytest.approx(0.969533, abs=0.002)


def test_neighbors_and_answers_are_pytorch_oods(planted: Planted) -> None:
    known_M, novel_M = (neighbor_scores(planted.train_ND, x) for x in (planted.known_MD, planted.novel_MD))
    assert auroc(known_M, novel_M) == pytest.approx(0.8653667, abs=1e-6)  # KNN, k = 50
    known_M, novel_M = (energy_scores(x @ planted.weights_DK) for x in (planted.known_MD, planted.novel_MD))
    assert known_M[:3] == pytest.approx([-34.5323, -24.9535, -24.7097], abs=1e-4)  # EnergyBased
    assert auroc(known_M, novel_M) == pytest.approx(0.6373333, abs=1e-6)
    known_M, novel_M = (softmax_scores(x @ planted.weights_DK) for x in (planted.known_MD, planted.novel_MD))
    assert auroc(known_M, novel_M) == pytest.approx(0.57303, abs=0.003)  # MaxSoftmax, with ties of float32


def test_false_positives_are_pytorch_oods_with_the_sides_exchanged(planted: Planted) -> None:
    # FPR95TPR there: 95 % of the novel images are found, and known ones are taken for novel
    for score, published in ((neighbor_scores, 0.43), (None, 0.2)):
        known_M, novel_M = (
            score(planted.train_ND, x) if score else mahalanobis_scores(planted.train_ND, planted.labels_N, x)
            for x in (planted.known_MD, planted.novel_MD)
        )
        assert false_positive_rate(-novel_M, -known_M) == pytest.approx(published, abs=0.011)


def test_auroc_equals_scikit_learns_with_ties_and_delongs_estimate() -> None:
    rng = np.random.default_rng(0)
    known_N, novel_M = np.round(rng.normal(size=80), 1), np.round(rng.normal(0.7, 1, 50), 1)
    scores, is_novel = np.concatenate([known_N, novel_M]), np.arange(130) >= 80
    assert auroc(known_N, novel_M) == pytest.approx(roc_auc_score(is_novel, scores))
    estimate = auroc_estimate(scores, is_novel)
    assert estimate.value == pytest.approx(auroc(known_N, novel_M))
    assert estimate.low < estimate.value < estimate.high


def test_features_that_never_vary_do_no_harm_and_none_that_vary_is_said(planted: Planted) -> None:
    dead_ND, dead_MD = (np.column_stack([x, np.ones(len(x))]) for x in (planted.train_ND, planted.known_MD))
    with_dead_M = mahalanobis_scores(dead_ND, planted.labels_N, dead_MD)
    alone_M = mahalanobis_scores(planted.train_ND, planted.labels_N, planted.known_MD)
    assert np.corrcoef(with_dead_M, alone_M)[0, 1] > 0.99
    with pytest.raises(InputError, match="no distance"):
        mahalanobis_scores(np.ones((10, 2)), np.zeros(10, np.int64), np.ones((3, 2)))


@pytest.mark.slow
def test_interval_of_false_positives_covers() -> None:
    rng = np.random.default_rng(0)
    truth = 0.3603  # of Phi(1.6449 - 2): novel images two standard deviations up
    inside = 0
    for seed in range(40):
        found = false_positive_estimate(rng.normal(size=200), rng.normal(2, 1, 120), seed=seed)
        inside += found.low <= truth <= found.high
    assert inside / 40 >= 0.85
    far = false_positive_estimate(rng.normal(size=100), np.full(40, 9.0))
    assert far.value == 0
    assert 0.02 < far.high < 0.15
    with pytest.raises(InputError, match="0 known"):
        false_positive_estimate(np.empty(0), np.ones(3))
