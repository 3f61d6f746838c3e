"""From effects of images to effects of groups: who stands among the images that most help or harm.

Pure functions over arrays. An effect is a training image's mean score over the targets of one group,
usually the worst; positive = helps. Needs no retraining.

Shape legend: N training images, M targets, G groups.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from pipeline.attribution.streaming import GroupCell
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.attribution import GroupAttribution, GroupShare
from pipeline.records.base import Estimate

EXTREME_SHARE = 0.05  # of the training images count as extreme
LEAST_EXTREMES = 50  # below, an interval spans half of all shares
TIE_SEED = 0  # equal effects, such as those of images without gradient, are put in a random order


def extreme_count(n_train: int) -> int:
    """How many images on either side count as extreme: 5 %, at least 50, at most half of all."""
    return min(max(round(EXTREME_SHARE * n_train), LEAST_EXTREMES), n_train // 2)


def most_harmful(effect_N: Float64Array, count: int) -> Int64Array:
    """Rows of up to `count` images with the lowest effects below 0, most harmful first.

    Equal effects come in a random order that is the same every time: in row order, a data set that is
    sorted by group would put its first group in front.

    Raises:
        TrainingError: effects are not finite.
        InputError: a negative count.
    """
    if count < 0:
        raise InputError(f"count = {count} images: needs 0 or more.")
    if not np.isfinite(effect_N).all():
        raise TrainingError(
            f"{int((~np.isfinite(effect_N)).sum())} of {len(effect_N)} effects are not finite, so the scores "
            "are not usable. Run the attribute stage again; if it stays, train with a lower train.lr."
        )
    random_N = np.random.default_rng(TIE_SEED).permutation(len(effect_N))
    rows: Int64Array = np.lexsort((random_N, effect_N))[:count]
    return rows[effect_N[rows] < 0]


def most_helpful(effect_N: Float64Array, count: int) -> Int64Array:
    """Rows of up to `count` images with the highest effects above 0, most helpful first."""
    return most_harmful(-effect_N, count)


def group_shares(
    effect_on_worst_N: Float64Array,
    train_groups: Int64Array,
    group_names: Sequence[str],
    n_extreme: int,
    *,
    confidence: float = 0.95,
) -> list[GroupShare]:
    """How often each training group stands among the images that most harm, or help, the worst group.

    Compare with `expected`, the group's share among all scored training images: an interval that leaves
    it out says that membership and effect go together. Groups without training images are left out.

    Up to `n_extreme` images on either side (`extreme_count` chooses), fewer where fewer harm or help at
    all. The intervals are those of `share_of_drawn`: where effects have nothing to do with groups they
    hold the expected share in at least `confidence` of cases, for each group and side by itself. Over G
    groups and two sides use `sidak_confidence(2 * G)` for a statement about all at once.

    They are about which images got which effect, not about other training seeds; `retrain` is.

    Raises:
        InputError: lengths that differ, or a group index without a name.
        TrainingError: effects are not finite.
    """
    _check_groups(effect_on_worst_N, train_groups, group_names)
    counts_G = np.bincount(train_groups, minlength=len(group_names))
    harmful = train_groups[most_harmful(effect_on_worst_N, n_extreme)]
    helpful = train_groups[most_helpful(effect_on_worst_N, n_extreme)]
    n_train = len(train_groups)
    return [
        GroupShare(
            index=group,
            group=name,
            n_train=int(counts_G[group]),
            expected=float(counts_G[group] / n_train),
            harmful=share_of_drawn(int((harmful == group).sum()), len(harmful), n_train, confidence),
            helpful=share_of_drawn(int((helpful == group).sum()), len(helpful), n_train, confidence),
        )
        for group, name in enumerate(group_names)
        if counts_G[group] > 0
    ]


def share_of_drawn(hits: int, n_drawn: int, n_all: int, confidence: float = 0.95) -> Estimate:
    """Share of a group among drawn images, and an exact interval for its share among all.

    Drawing without replacement from `n_all` is hypergeometric. The interval holds every group size for
    which `hits` or more, and `hits` or fewer, both have a chance above (1 - confidence) / 2. It covers in
    at least `confidence` of cases for groups of any size; Wilson's can fall to 84 % where less than one
    hit is expected, which is the rule for small groups. Nothing drawn says nothing: 0 to 1.

    Raises:
        InputError: not 0 <= hits <= n_drawn <= n_all.
    Source: inversion of the hypergeometric test (Clopper and Pearson 1934 for the binomial; Wang 2015).
    """
    if not 0 <= hits <= n_drawn <= n_all:
        raise InputError(
            f"{hits} hits of {n_drawn} drawn from {n_all}: needs 0 <= hits <= drawn <= all of them."
        )
    if n_drawn == 0:
        return Estimate(value=0.0, low=0.0, high=1.0, n=0)
    from scipy import stats  # late: it takes a second to load

    tail = (1 - confidence) / 2
    sizes = range(hits, n_all - n_drawn + hits + 1)  # group sizes that allow this many hits

    def is_large_enough(size: int) -> bool:
        return bool(stats.hypergeom.sf(hits - 1, n_all, size, n_drawn) > tail)

    def is_too_large(size: int) -> bool:
        return bool(stats.hypergeom.cdf(hits, n_all, size, n_drawn) <= tail)

    # both chances are monotone in the size, so each bound is found by halving
    low = sizes[bisect.bisect_left(sizes, True, key=is_large_enough)] / n_all
    high = sizes[bisect.bisect_left(sizes, True, key=is_too_large) - 1] / n_all
    value = hits / n_drawn
    # group sizes are whole numbers, so the best ones can lie beside the share itself
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n_drawn)


def group_attributions(
    cells: Sequence[GroupCell],
    train_groups: Int64Array,
    target_groups: Int64Array,
    group_names: Sequence[str],
) -> list[GroupAttribution]:
    """Records of the group matrix, each with how many images stand behind it."""
    n_train_G = np.bincount(train_groups, minlength=len(group_names))
    n_test_G = np.bincount(target_groups, minlength=len(group_names))
    return [
        GroupAttribution(
            train_index=cell.train_group,
            test_index=cell.test_group,
            train_group=group_names[cell.train_group],
            test_group=group_names[cell.test_group],
            value=cell.value,
            low=cell.low,
            high=cell.high,
            n_train=int(n_train_G[cell.train_group]),
            n_test=int(n_test_G[cell.test_group]),
        )
        for cell in cells
    ]


def _check_groups(effect_N: Float64Array, train_groups: Int64Array, group_names: Sequence[str]) -> None:
    if len(effect_N) != len(train_groups) or len(effect_N) == 0:
        raise InputError(
            f"{len(effect_N)} effects for the groups of {len(train_groups)} training images: needs one "
            "effect for each, and at least one image."
        )
    if train_groups.min() < 0 or train_groups.max() >= len(group_names):
        raise InputError(
            f"training groups run from {train_groups.min()} to {train_groups.max()}, but {len(group_names)} "
            "groups have names. Pack the data set again (stage data)."
        )
