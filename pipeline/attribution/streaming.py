"""Summaries of the score matrix, made from blocks of it in one pass.

Kept in memory: per target its extreme scores, per training image one mean per test group, per
target one sum per training group. The training x target matrix itself never exists.

Shape legend: N training images, M targets, B training images of one block, C targets of one
block, I training groups, J columns of target weights, T extremes kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from pipeline.core.types import Float32Array, Float64Array, Int64Array

ScoreBlock = Callable[[slice, slice], Float32Array]  # rows, columns -> scores
TRAIN_BLOCK = 2048
TARGET_BLOCK = 1024


@dataclass(frozen=True)
class Extremes:
    """The T highest scores of each target, highest first; equal scores by row number."""

    scores: Float32Array  # M T
    rows: Int64Array  # M T, training rows


@dataclass(frozen=True)
class ScoreSummary:
    """What is kept of the score matrix."""

    helpful: Extremes  # highest scores
    harmful: Extremes  # lowest scores, lowest first
    train_means: Float64Array  # N J, weighted sum over targets
    target_means: Float64Array  # I M, mean over the training images of a group, NaN where it has none


@dataclass(frozen=True)
class GroupCell:
    """Mean score over (training group, test group) with a 95 % interval."""

    train_group: int
    test_group: int
    value: float
    low: float
    high: float


def summarize(
    scores: ScoreBlock,
    *,
    train_groups: Int64Array,
    target_weights_MJ: Float64Array,
    n_groups: int,
    top_k: int,
    train_block: int = TRAIN_BLOCK,
    target_block: int = TARGET_BLOCK,
) -> ScoreSummary:
    """One pass over the score matrix, block by block.

    `target_weights_MJ` holds one column per wanted mean over targets; `mean_weights` makes them.
    """
    n, m = len(train_groups), len(target_weights_MJ)
    train_means_NJ = np.zeros((n, target_weights_MJ.shape[1]))
    target_sums_IM = np.zeros((n_groups, m))
    members_NI = train_groups[:, None] == np.arange(n_groups)
    helpful, harmful = [], []
    for cols in blocks(m, target_block):
        best = worst = _no_extremes(cols.stop - cols.start)
        for rows in blocks(n, train_block):
            block_BC = scores(rows, cols)
            best = _keep_highest(best, block_BC, rows.start, top_k)
            worst = _keep_highest(worst, -block_BC, rows.start, top_k)
            wide_BC = block_BC.astype(np.float64)  # sums of many small numbers of both signs
            train_means_NJ[rows] += wide_BC @ target_weights_MJ[cols]
            target_sums_IM[:, cols] += members_NI[rows].T.astype(np.float64) @ wide_BC
        helpful.append(best)
        harmful.append(Extremes(-worst.scores, worst.rows))
    counts_I = members_NI.sum(axis=0)
    with np.errstate(invalid="ignore"):
        target_means_IM = target_sums_IM / counts_I[:, None]
    return ScoreSummary(_stack(helpful), _stack(harmful), train_means_NJ, target_means_IM)


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices that cut 0..n-1 into runs of at most `size`."""
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def mean_weights(target_groups: Int64Array, n_groups: int) -> Float64Array:
    """M x n_groups: column g averages over the targets of group g (all zero where it has none)."""
    members = (target_groups[:, None] == np.arange(n_groups)).astype(np.float64)
    weights: Float64Array = members / np.maximum(members.sum(axis=0), 1)
    return weights


def group_matrix(
    summary: ScoreSummary, *, train_groups: Int64Array, target_groups: Int64Array, n_groups: int
) -> list[GroupCell]:
    """Mean score of every (training group, test group), train-major.

    Training images and targets are both samples, and every pair shares its image and its target
    with others. The squared standard error is therefore s²(row means)/n + s²(column means)/m,
    where row means are over the test group per training image and column means over the training
    group per target: the crossed random-effects variance, counting the residual of a single pair
    twice, so slightly wide. The t quantile has Welch-Satterthwaite degrees of freedom. The
    interval is about images; it says nothing about other training seeds.

    Cells with fewer than two training images or two targets have no interval and are left out.
    The first `n_groups` columns of `summary.train_means` must be those of `mean_weights`.
    """
    cells = []
    for train_group in range(n_groups):
        in_train = train_groups == train_group
        for test_group in range(n_groups):
            in_test = target_groups == test_group
            if in_train.sum() < 2 or in_test.sum() < 2:
                continue
            row_means = summary.train_means[in_train, test_group]
            column_means = summary.target_means[train_group, in_test]
            value, half = crossed_mean_interval(row_means, column_means)
            cells.append(GroupCell(train_group, test_group, value, value - half, value + half))
    return cells


def crossed_mean_interval(row_means: Float64Array, column_means: Float64Array) -> tuple[float, float]:
    """Mean of a matrix and half the width of its 95 % interval, from its row and column means."""
    n, m = len(row_means), len(column_means)
    from_rows, from_columns = row_means.var(ddof=1) / n, column_means.var(ddof=1) / m
    variance = from_rows + from_columns
    value = float(row_means.mean())
    if variance == 0:
        return value, 0.0
    freedom = variance**2 / (from_rows**2 / (n - 1) + from_columns**2 / (m - 1))
    return value, float(stats.t.ppf(0.975, freedom) * np.sqrt(variance))


def _no_extremes(n_targets: int) -> Extremes:
    return Extremes(np.zeros((n_targets, 0), np.float32), np.zeros((n_targets, 0), np.int64))


def _keep_highest(kept: Extremes, block_BC: Float32Array, first_row: int, top_k: int) -> Extremes:
    """`kept` after one more block.

    Stable sorts with earlier rows first make the answer independent of how rows are cut into
    blocks, also where images occur twice and scores are equal.
    """
    order = torch.from_numpy(block_BC.T.copy()).sort(dim=1, descending=True, stable=True)
    scores = np.concatenate([kept.scores, order.values[:, :top_k].numpy()], axis=1)
    rows = np.concatenate([kept.rows, order.indices[:, :top_k].numpy() + first_row], axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return Extremes(np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1))


def _stack(parts: list[Extremes]) -> Extremes:
    return Extremes(np.concatenate([p.scores for p in parts]), np.concatenate([p.rows for p in parts]))
