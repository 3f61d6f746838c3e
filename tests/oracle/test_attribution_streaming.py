"""Streamed summaries against the same numbers from the dense matrix, and their intervals' coverage."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.attribution.streaming import (
    crossed_mean_interval,
    group_matrix,
    mean_weights,
    summarize,
)

N, M, GROUPS = 211, 37, 4


def _summary(scores, train_groups, target_groups, **blocks):
    return summarize(
        lambda rows, cols: scores[rows, cols],
        train_groups=train_groups,
        target_weights_MJ=mean_weights(target_groups, GROUPS),
        n_groups=GROUPS,
        top_k=6,
        **blocks,
    )


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(N, M)).astype(np.float32)
    scores[100:120] = scores[20:40]  # images that occur twice have equal scores
    return scores, rng.integers(0, GROUPS, N), rng.integers(0, GROUPS, M)


@pytest.mark.parametrize("blocks", [{}, {"train_block": 16, "target_block": 5}, {"train_block": 3}])
def test_extremes_and_means_equal_the_dense_matrix(problem, blocks) -> None:
    scores, train_groups, target_groups = problem
    summary = _summary(scores, train_groups, target_groups, **blocks)
    highest = np.argsort(-scores, axis=0, kind="stable")[:6].T
    lowest = np.argsort(scores, axis=0, kind="stable")[:6].T
    np.testing.assert_array_equal(summary.helpful.rows, highest)
    np.testing.assert_array_equal(summary.harmful.rows, lowest)
    np.testing.assert_array_equal(summary.helpful.scores, np.take_along_axis(scores.T, highest, 1))
    np.testing.assert_array_equal(summary.harmful.scores, np.take_along_axis(scores.T, lowest, 1))
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
