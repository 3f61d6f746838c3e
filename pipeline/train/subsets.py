"""Which training images an epoch of a method draws: all, a balanced subset, or some of them repeated.

Orders are made by binding rows or groups to these functions; an epoch stays a pure function of
(seed, epoch).

Shape legend: N training images, M rows of an epoch, S rows of a subset.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array
from pipeline.train.batches import shuffled_order

_SUBSET, _PASSES = 11, 12  # random streams of their own, apart from those of `batches`


def balanced_rows(groups_N: Int64Array, *, seed: int, draw: int = 0) -> Int64Array:
    """As many rows of every group as the smallest group has, without replacement, sorted.

    Groups without rows are left out. `draw` numbers different subsets of one seed.
    """
    rng = np.random.default_rng([seed, draw, _SUBSET])
    members = [np.flatnonzero(groups_N == g) for g in np.unique(groups_N)]
    size = min((len(rows) for rows in members), default=0)
    chosen = [rng.choice(rows, size=size, replace=False) for rows in members]
    return np.sort(np.concatenate(chosen)).astype(np.int64) if chosen else np.empty(0, np.int64)


def repeated_passes(rows_S: Int64Array, n_rows: int, *, seed: int, epoch: int) -> Int64Array:
    """`n_rows` rows: one shuffled pass over `rows_S` after the other, the last one cut short."""
    n_passes = -(-n_rows // len(rows_S))
    rng = np.random.default_rng([seed, epoch, _PASSES])
    return np.concatenate([rng.permutation(rows_S) for _ in range(n_passes)])[:n_rows]


def subset_order(groups_N: Int64Array, n_rows: int, *, seed: int, epoch: int) -> Int64Array:
    """Passes over a subset with equally many images of every group, the same in all epochs of a seed.

    Source: SUBG in Idrissi et al. 2022 (arXiv:2110.14503), which draws the subset once a run.
    """
    return repeated_passes(balanced_rows(groups_N, seed=seed), n_rows, seed=seed, epoch=epoch)


def upweighted_rows(n: int, hard_rows: Int64Array, upweight: int) -> Int64Array:
    """All n rows once, and those of `hard_rows` `upweight` times in all."""
    return np.concatenate([np.arange(n, dtype=np.int64), np.repeat(hard_rows, upweight - 1)])


def listed_order(rows_M: Int64Array, *, seed: int, epoch: int) -> Int64Array:
    """The rows of a list, which may repeat, in random order."""
    return rows_M[shuffled_order(len(rows_M), seed=seed, epoch=epoch)]
