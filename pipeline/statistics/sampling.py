"""Seeded draws from every group: whoever looks at a few images of each looks at the same ones.

Shape legend: N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array


def order_of_group(groups_N: Int64Array, group: int, seed: int) -> Int64Array:
    """Positions of the group's images in an order drawn for it; its first k are the draw of k.

    >>> sorted(order_of_group(np.array([0, 1, 1, 0, 1]), 1, seed=0).tolist())
    [1, 2, 4]
    """
    members_n = np.flatnonzero(groups_N == group)
    drawn: Int64Array = np.random.default_rng([seed, int(group)]).permutation(members_n)
    return drawn


def ranks_within_groups(groups_N: Int64Array, seed: int) -> Int64Array:
    """Each image's place (0, 1, ...) in its group's drawn order, N."""
    rank_N = np.zeros(len(groups_N), np.int64)
    for group in np.unique(groups_N):
        drawn = order_of_group(groups_N, int(group), seed)
        rank_N[drawn] = np.arange(len(drawn))
    return rank_N


def choose_by_group(groups_N: Int64Array, per_group: int, seed: int) -> Int64Array:
    """Ascending positions of at most `per_group` images of each group, drawn without replacement.

    A function of groups and seed alone, never of labels or outcomes, so that every method is looked at
    on the same images and a group's mean over them is an unbiased one. A larger number keeps the images
    of a smaller one.

    >>> groups_N = np.array([0] * 5 + [1] * 3)
    >>> np.bincount(groups_N[choose_by_group(groups_N, 2, seed=0)]).tolist()
    [2, 2]
    """
    chosen: Int64Array = np.flatnonzero(ranks_within_groups(groups_N, seed) < per_group)
    return chosen


def draw(n: int, most: int | None, seed: int) -> Int64Array:
    """Ascending positions of `most` of n images, drawn without replacement; of all where there are no more.

    >>> draw(3, None, seed=0).tolist(), len(draw(100, 10, seed=0))
    ([0, 1, 2], 10)
    """
    if most is None or n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, n]).permutation(n)[:most])
