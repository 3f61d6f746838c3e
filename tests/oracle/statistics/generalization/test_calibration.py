"""Calibration and abstaining against torchmetrics, scikit-learn, and numbers that the authors' code gave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from pipeline.statistics.generalization.calibration import (
    brier_scores,
    ece_plain,
    negative_log_likelihoods,
    smooth_ece,
)


def _same_bins(top: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Twenty images at each of ten confidences: bins of equal width and equal mass have the same members."""
    rng = np.random.default_rng(0)
    confidence_N = np.repeat([*np.arange(0.05, 0.9, 0.1), top], 20)
    return confidence_N, (rng.random(200) < confidence_N**2).astype(np.int64)


def test_ece_equals_torchmetrics_where_bins_have_the_same_members() -> None:
    confidence_N, right_N = _same_bins()
    theirs = binary_calibration_error(torch.tensor(confidence_N), torch.tensor(right_N), n_bins=10)
    assert ece_plain(confidence_N[None], right_N[None] * 1.0, 10) == pytest.approx([float(theirs)], abs=1e-6)


def test_ece_of_several_classes_equals_torchmetrics() -> None:
    rng = np.random.default_rng(1)
    confidence_N = np.repeat([0.55, 0.65, 0.75, 0.85, 0.95], 40)
    rest_N = 1 - confidence_N
    probabilities_NK = np.stack([confidence_N, 0.7 * rest_N, 0.3 * rest_N], axis=1)
    labels_N = rng.choice(3, 200, p=[0.7, 0.2, 0.1])
    theirs = multiclass_calibration_error(
        torch.tensor(probabilities_NK), torch.tensor(labels_N), num_classes=3, n_bins=10
    )
    ours = ece_plain(confidence_N[None], (labels_N == 0)[None] * 1.0, 5)
    assert ours == pytest.approx([float(theirs)], abs=1e-6)


def test_certain_answers_are_counted_as_torchmetrics_counts_them() -> None:
    confidence_N, right_N = _same_bins(top=1.0)
    right_N[-20:] = 0
    theirs = binary_calibration_error(torch.tensor(confidence_N), torch.tensor(right_N), n_bins=10)
    ours = ece_plain(confidence_N[None], right_N[None] * 1.0, 10)
    assert ours == pytest.approx([float(theirs)], abs=1e-6)
    # half-open bins [low, high) would drop the twenty surest errors, each of which adds 1 / 200
    dropped = ece_plain(confidence_N[None, :-20], right_N[None, :-20] * 1.0, 9)[0] * 180 / 200
    assert ours[0] - dropped == pytest.approx(0.1)


@pytest.mark.parametrize(("seed", "published"), [(0, 0.040064), (1, 0.173921), (2, 0.253288)])
def test_smooth_ece_equals_relplots(seed: int, published: float) -> None:
    rng = np.random.default_rng(seed)  # relplot 1.0.3, smECE, by Blasiok and Nakkiran
    confidence_1N = rng.random((1, 400))
    right_1N = (rng.random((1, 400)) < confidence_1N ** (1 + seed)).astype(np.float64)
    assert smooth_ece(confidence_1N, right_1N) == pytest.approx([published], abs=4e-4)


def test_brier_and_likelihood_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    log_SNK = log_softmax(2 * rng.normal(size=(2, 150, 4)), axis=2)
    labels_N = rng.integers(0, 4, 150)
    for s, log_NK in enumerate(log_SNK):
        probabilities_NK = np.exp(log_NK)
        loss = log_loss(labels_N, probabilities_NK, labels=range(4))
        assert negative_log_likelihoods(log_SNK, labels_N)[s].mean() == pytest.approx(loss)
        squares = ((probabilities_NK - np.eye(4)[labels_N]) ** 2).sum(axis=1)
        assert brier_scores(log_SNK, labels_N)[s] == pytest.approx(squares)
    two_1NK = log_softmax(rng.normal(size=(1, 150, 2)), axis=2)
    of_one_class = brier_score_loss(labels_N % 2, np.exp(two_1NK[0, :, 1]))
    assert brier_scores(two_1NK, labels_N % 2).mean() == pytest.approx(2 * of_one_class)
