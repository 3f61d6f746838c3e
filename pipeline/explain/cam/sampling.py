"""Test images to look at more closely, from all groups alike, never by outcome."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array
from pipeline.statistics.sampling import ranks_within_groups


def choose_balanced(groups_N: Int64Array, n_wanted: int, seed: int) -> Int64Array:
    """`n_wanted` positions, or all, from all groups alike: one of each before two of any; ascending."""
    rank_N = ranks_within_groups(groups_N, seed)
    # Shuffled among equals: a number that the groups do not share evenly must not favor the first.
    shuffled_N = np.random.default_rng([seed, len(rank_N)]).permutation(len(rank_N))
    first = shuffled_N[np.argsort(rank_N[shuffled_N], kind="stable")][:n_wanted]
    chosen: Int64Array = np.sort(first).astype(np.int64)
    return chosen
