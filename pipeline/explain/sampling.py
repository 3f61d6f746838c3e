"""Which test images are looked at: drawn by group, never by outcome."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array, Split


def choose_rows(test: Split, images_per_group: int, seed: int) -> Int64Array:
    """At most `images_per_group` rows of each group, drawn without replacement, ascending.

    A function of groups and seed alone, so that every method of a dataset is looked at on the same
    images.
    """
    order, rank = _ranked_within_groups(test.groups, seed)
    chosen: Int64Array = np.sort(order[rank < images_per_group]).astype(np.int64)
    return chosen


def choose_balanced(groups_N: Int64Array, n_wanted: int, seed: int) -> Int64Array:
    """`n_wanted` positions, or all, from all groups alike: one of each before two of any; ascending."""
    order, rank = _ranked_within_groups(groups_N, seed)
    # Shuffled among equals: a number that the groups do not share evenly must not favor the first.
    shuffled = np.random.default_rng([seed, len(order)]).permutation(len(order))
    first = shuffled[np.argsort(rank[shuffled], kind="stable")][:n_wanted]
    chosen: Int64Array = np.sort(order[first]).astype(np.int64)
    return chosen


def _ranked_within_groups(groups_N: Int64Array, seed: int) -> tuple[Int64Array, Int64Array]:
    """All positions in random order by group, and each one's rank (0, 1, ...) within its group."""
    order = np.random.default_rng(seed).permutation(len(groups_N))
    order = order[np.argsort(groups_N[order], kind="stable")]
    groups = groups_N[order]
    return order, np.arange(len(order)) - np.searchsorted(groups, groups)
