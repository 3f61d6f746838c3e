"""Streamed summaries against the same numbers from the dense matrix, and their intervals' coverage."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.attribution.extremes import find_extremes, find_extremes_resumably
from pipeline.attribution.scores import DenseScores, Factor, FactoredScores
from pipeline.attribution.streaming import (
    crossed_mean_interval,
    group_matrix,
    mean_weights,
    summarize,
)
from pipeline.parallel.rank import World

N, M, GROUPS = 211, 37, 4


def _summary(scores, train_groups, target_groups):
    return summarize(
        DenseScores(scores),
        train_weights_NI=mean_weights(train_groups, GROUPS),
        target_weights_MJ=mean_weights(target_groups, GROUPS),
        top_k=6,
    )


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(N, M)).astype(np.float32)
    scores[100:120] = scores[20:40]  # images that occur twice have equal scores
    return scores, rng.integers(0, GROUPS, N), rng.integers(0, GROUPS, M)


@pytest.mark.parametrize("blocks", [{}, {"train_block": 16, "target_block": 5}, {"train_block": 3}])
@pytest.mark.parametrize("top_k", [1, 6, 300])
@pytest.mark.parametrize("levels", [None, 3])  # few levels: nearly all scores are tied
def test_extremes_are_those_of_stable_sorts_whatever_the_blocks(problem, blocks, top_k, levels) -> None:
    scores = problem[0] if levels is None else np.round(problem[0] * 0.5).astype(np.float32)
    highest = np.argsort(-scores, axis=0, kind="stable")[:top_k].T
    lowest = np.argsort(scores, axis=0, kind="stable")[:top_k].T
    helpful, harmful = find_extremes(DenseScores(scores), top_k, **blocks)
    np.testing.assert_array_equal(helpful.rows, highest)
    np.testing.assert_array_equal(harmful.rows, lowest)
    np.testing.assert_array_equal(helpful.scores, np.take_along_axis(scores.T, highest, 1))
    np.testing.assert_array_equal(harmful.scores, np.take_along_axis(scores.T, lowest, 1))


def test_extremes_kept_on_disk_are_the_same_and_are_not_made_again(problem, tmp_path) -> None:
    scores = DenseScores(problem[0], target_block=10)
    expected = find_extremes(scores, 6)
    for dense in (scores, DenseScores(np.zeros_like(problem[0]), target_block=10)):
        found = find_extremes_resumably(dense, 6, folder=tmp_path, name="a", world=World())
        for side, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(side.rows, right.rows)
            np.testing.assert_array_equal(side.scores, right.scores)


def test_sums_from_features_equal_sums_of_the_matrix() -> None:
    rng = np.random.default_rng(4)
    train = [rng.normal(size=(N, 24)).astype(np.float32) for _ in range(3)]
    targets = [rng.normal(size=(M, 24)).astype(np.float32) for _ in range(3)]
    weights = rng.random(N)
    factors = [Factor(lambda r, a=a: a[r], lambda c, b=b: b[c]) for a, b in zip(train, targets, strict=True)]
    scores = FactoredScores(factors, weights, n_targets=M, dim=24)
    matrix = np.mean([a.astype(float) @ b.T for a, b in zip(train, targets, strict=True)], axis=0)
    matrix = matrix * weights[:, None]
    pieces = [
        [scores.block(slice(r, r + 50), slice(c, c + 9)) for c in range(0, M, 9)] for r in range(0, N, 50)
    ]
    np.testing.assert_allclose(np.block(pieces), matrix, atol=1e-5)
    subsets = (rng.random((N, 200)) < 0.5).astype(float)  # as for the linear datamodeling score
    groups = mean_weights(rng.integers(0, GROUPS, M), GROUPS)
    np.testing.assert_allclose(scores.train_sums(subsets), subsets.T @ matrix, atol=1e-9)
    np.testing.assert_allclose(scores.train_sums(subsets > 0), subsets.T @ matrix, atol=1e-9)
    np.testing.assert_allclose(scores.target_sums(groups), matrix @ groups, atol=1e-9)
    dense = DenseScores(matrix.astype(np.float32))
    np.testing.assert_allclose(dense.train_sums(subsets), subsets.T @ matrix, atol=1e-4)
    np.testing.assert_allclose(dense.target_sums(groups), matrix @ groups, atol=1e-6)


def test_group_means_equal_the_dense_matrix(problem) -> None:
    scores, train_groups, target_groups = problem
    summary = _summary(scores, train_groups, target_groups)
    cells = group_matrix(summary, train_groups=train_groups, target_groups=target_groups, n_groups=GROUPS)
    assert len(cells) == GROUPS**2
    for cell in cells:
        dense = scores[train_groups == cell.train_group][:, target_groups == cell.test_group]
        dense = dense.astype(np.float64)
        n, m = dense.shape
        variance = dense.mean(1).var(ddof=1) / n + dense.mean(0).var(ddof=1) / m
        assert cell.value == pytest.approx(dense.mean(), abs=1e-12)
        assert (cell.low + cell.high) / 2 == pytest.approx(cell.value)
        assert cell.high - cell.value > 1.95 * np.sqrt(variance)


def test_more_extremes_than_images_keeps_them_all() -> None:
    scores = np.array([[3.0], [1.0], [2.0]], np.float32)
    summary = _summary(scores, np.zeros(3, int), np.zeros(1, int))
    assert summary.helpful.rows.tolist() == [[0, 2, 1]]
    assert summary.harmful.rows.tolist() == [[1, 2, 0]]


def test_cells_without_two_of_each_are_left_out() -> None:
    scores = np.ones((5, 4), np.float32)
    train_groups, target_groups = np.array([0, 0, 0, 1, 3]), np.array([0, 0, 1, 1])
    summary = _summary(scores, train_groups, target_groups)
    cells = group_matrix(summary, train_groups=train_groups, target_groups=target_groups, n_groups=GROUPS)
    assert [(c.train_group, c.test_group) for c in cells] == [(0, 0), (0, 1)]
    assert all(c.low == c.value == c.high == 1 for c in cells)


@pytest.mark.parametrize(("row_sd", "column_sd", "noise"), [(1, 1, 1), (0, 1, 1), (1, 0, 3), (0, 0, 1)])
def test_interval_covers_the_mean_of_crossed_random_effects(row_sd, column_sd, noise) -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        matrix = (
            row_sd * rng.normal(size=(15, 1))
            + column_sd * rng.normal(size=(1, 9))
            + noise * rng.normal(size=(15, 9))
        )
        value, half = crossed_mean_interval(matrix.mean(1), matrix.mean(0))
        covered += abs(value) <= half
    assert covered / 400 >= 0.925
