"""Summaries of a score matrix that is never held whole: extremes, sums, and means over groups.

Kept in memory: per target its extreme scores and one sum per column of training weights, per training
image one sum per column of target weights. Columns are groups, random subsets, or any other weights.

Shape legend: N training images, M targets, I columns of training weights, J columns of target weights,
T extremes kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.attribution.extremes import Extremes, find_extremes, find_extremes_resumably
from pipeline.attribution.scores import Scores
from pipeline.core.types import Float64Array, Int64Array
from pipeline.parallel.rank import World
from pipeline.statistics.distributions import t_ppf


@dataclass(frozen=True)
class ScoreSummary:
    """What is kept of the score matrix."""

    helpful: Extremes  # highest scores
    harmful: Extremes  # lowest scores, lowest first
    train_means: Float64Array  # N J, weighted sums over targets
    target_means: Float64Array  # I M, weighted sums over training images


@dataclass(frozen=True)
class GroupCell:
    """Mean score over (training group, test group) with a 95 % interval."""

    train_group: int
    test_group: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scratch:
    """Where finished blocks of extremes are kept over kills, and who shares the work."""

    folder: Path
    name: str  # of the scores and the number of extremes
    world: World


def summarize(
    scores: Scores,
    *,
    train_weights_NI: Float64Array,
    target_weights_MJ: Float64Array,
    top_k: int,
    scratch: Scratch | None = None,
) -> ScoreSummary:
    """Extremes of each target, and the two kinds of sums.

    Columns of `mean_weights` give means over groups; 0 / 1 columns give sums over subsets, which for
    training images are what the linear datamodel predicts.
    """
    if scratch is None:
        helpful, harmful = find_extremes(scores, top_k)
    else:
        helpful, harmful = find_extremes_resumably(
            scores, top_k, folder=scratch.folder, name=scratch.name, world=scratch.world
        )
    return ScoreSummary(
        helpful, harmful, scores.target_sums(target_weights_MJ), scores.train_sums(train_weights_NI)
    )


def mean_weights(groups: Int64Array, n_groups: int) -> Float64Array:
    """n x n_groups: column g averages over the images of group g (all zero where it has none)."""
    members = (groups[:, None] == np.arange(n_groups)).astype(np.float64)
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
    The first `n_groups` columns of `summary.train_means` and rows of `summary.target_means` must be
    those of `mean_weights`.
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
    return value, float(t_ppf(0.975, freedom) * np.sqrt(variance))
