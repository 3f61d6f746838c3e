"""Which training images a retraining sees: random subsets, and groups thinned out.

Every choice is a pure function of a seed, a number and the size of the data: it is made again wherever
it is needed, and never stored.

Shape legend: N training images, M subsets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.retraining import Training

_SUBSET, _THIN = 0, 1  # separate random streams


def subset_rows(n: int, share: float, *, seed: int, index: int) -> Int64Array:
    """Sorted rows of the random subset `index`: this share of all images, without replacement.

    >>> len(subset_rows(100, 0.5, seed=0, index=3))
    50
    """
    order = np.random.default_rng([seed, index, _SUBSET]).permutation(n)
    return np.sort(order[: round(share * n)]).astype(np.int64)


def removed_rows(groups_N: Int64Array, group: int, kept: float, *, seed: int) -> Int64Array:
    """Sorted rows that go when only the share `kept` of a group stays.

    What a smaller share keeps, a larger one keeps too.

    >>> len(removed_rows(np.array([0, 1, 0, 1, 1, 1]), 1, 0.5, seed=0))
    2
    """
    members = np.flatnonzero(groups_N == group)
    order = np.random.default_rng([seed, group, _THIN]).permutation(members)
    return np.sort(order[round(kept * len(members)) :]).astype(np.int64)


def training_rows(training: Training, groups_N: Int64Array, *, share: float, seed: int) -> Int64Array:
    """Sorted rows of the training images that a retraining sees, or saw."""
    everything = np.arange(len(groups_N), dtype=np.int64)
    if training.kind == "subset":
        assert training.index is not None
        return subset_rows(len(groups_N), share, seed=seed, index=training.index)
    if training.kind == "thinned":
        assert training.group is not None
        assert training.kept is not None
        gone = removed_rows(groups_N, training.group, training.kept, seed=seed)
        return np.setdiff1d(everything, gone)
    return everything


def subset_members(n: int, share: float, *, seed: int, indices: Sequence[int]) -> BoolArray:
    """Whether an image is in a random subset, M x N: the row weights of summed scores.

    >>> subset_members(100, 0.5, seed=0, indices=[0, 1, 2]).sum(axis=1).tolist()
    [50, 50, 50]
    """
    members_MN = np.zeros((len(indices), n), bool)
    for row, index in enumerate(indices):
        members_MN[row, subset_rows(n, share, seed=seed, index=index)] = True
    return members_MN
