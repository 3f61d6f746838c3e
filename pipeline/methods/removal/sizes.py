"""Which training images to leave out, and how many: pure functions of scores, groups and seeds.

Shape legend: N training images, R sizes tried.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.records.training import RemovalKind
from pipeline.statistics.comparison.compare import worst_group_change
from pipeline.statistics.picked import MIN_SEEDS

_RANDOM, _BALANCED = 31, 32  # random streams of their own
Kind = RemovalKind


def sizes_to_try(fractions: Sequence[float], effects_N: Float64Array) -> list[int]:
    """Numbers of images to leave out, in rising order; none beyond those that harm."""
    n_harmful = int((effects_N < 0).sum())
    sizes = {min(round(share * len(effects_N)), n_harmful) for share in fractions}
    return sorted(sizes - {0})


def harmful_rows(effects_N: Float64Array, size: int) -> Int64Array:
    """The rows with the lowest effects, lowest first; equal effects by row number."""
    return np.argsort(effects_N, kind="stable")[:size].astype(np.int64)


def random_rows(n: int, size: int, *, seed: int) -> Int64Array:
    """Rows drawn at random; a larger size of the same seed contains a smaller one."""
    return np.random.default_rng([seed, _RANDOM]).permutation(n)[:size].astype(np.int64)


def balancing_rows(groups_N: Int64Array, size: int, *, seed: int) -> Int64Array:
    """Rows drawn at random from the largest groups, so that groups are as equal as `size` rows can make them.

    A larger size of the same seed contains a smaller one.
    """
    shuffled_N = np.random.default_rng([seed, _BALANCED]).permutation(len(groups_N))
    # the position of each image in its group: those beyond the n-th of every group go before the n-th go
    order_N = np.argsort(groups_N[shuffled_N], kind="stable")
    sorted_groups_N = groups_N[shuffled_N][order_N]
    starts_N = np.searchsorted(sorted_groups_N, sorted_groups_N)
    place_N = np.arange(len(groups_N)) - starts_N
    last_first = np.argsort(-place_N, kind="stable")
    rows: Int64Array = shuffled_N[order_N][last_first][:size]
    return rows.astype(np.int64)


def rows_without(n: int, left_out: Int64Array) -> Int64Array:
    """The rows 0..n-1 that are not left out, sorted."""
    kept_N = np.ones(n, bool)
    kept_N[left_out] = False
    return np.flatnonzero(kept_N).astype(np.int64)


def choose_size(sizes: Sequence[int], worst_R: Sequence[float], n_val: int) -> int:
    """The smallest size whose worst-group accuracy lies within one standard error of the best.

    The best of several noisy sizes owes part of its lead to noise: where leaving images out brings
    nothing, that is often size 0. The standard error is taken at (hits + 2)/(n + 4), as for epochs. It
    knows nothing of seeds, so what it names is a candidate only: `confirm_gain` decides.

    Args:
        worst_R: validation accuracy of the worst group for each of `sizes`, which rise.
        n_val: validation images in that group.

    Source: the one-standard-error rule by Breiman et al. 1984.
    """
    best = max(worst_R)
    center = (best * n_val + 2) / (n_val + 4)
    tolerated = best - float(np.sqrt(center * (1 - center) / (n_val + 4)))
    return next(size for size, worst in zip(sizes, worst_R, strict=True) if worst >= tolerated)


def confirm_gain(
    erm_SV: BoolArray,
    left_out_SV: BoolArray,
    groups_V: Int64Array,
    *,
    n_tried: int,
    sources_V: Int64Array | None = None,
) -> Estimate:
    """What leaving images out brings the worst group on validation, over seeds and images.

    Paired by seed, and its interval allows for having been picked from `n_tried` sizes. The few seeds of
    the curve cannot show how far trainings scatter, so it is measured with all seeds; below three it is
    -1 to 1: nothing is known.

    Args:
        groups_V, sources_V: of the validation images that count.
    """
    found = worst_group_change(erm_SV, left_out_SV, groups_V, n_picked=n_tried, sources_N=sources_V).estimate
    return found if len(erm_SV) >= MIN_SEEDS else found.model_copy(update={"low": -1.0, "high": 1.0})
