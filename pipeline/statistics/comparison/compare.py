"""One method against a baseline on the same test images: overall, in the worst group, in every group.

Shape legend: S seeds, N images, G groups, B bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.records.evaluation import GroupComparison, MethodComparison
from pipeline.statistics.comparison.paired import bootstrap_groups, check_pair, group_means, percentiles
from pipeline.statistics.comparison.seed_shifts import Change, SeedShifts
from pipeline.statistics.multiplicity import holm


class Target(NamedTuple):
    """The group that a comparison is about."""

    group: int
    n_picked: int = 1  # groups that it was picked from, for its height
    n_tests: int = 1  # methods that are compared with the baseline


def compare_all(  # noqa: PLR0913 - most keyword-only, each a thing of its own
    baseline_SN: BoolArray,
    methods: Mapping[str, BoolArray],
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    baseline_name: str,
    worst_group_index: int,
    n_picked: int,
    seed: int,
    sufficient: Sequence[bool] | None = None,
    sources_N: Int64Array | None = None,
) -> list[MethodComparison]:
    """`compare_methods` for each method, `gain` and its p-value corrected for how many methods were tried.

    Whoever tries five methods and reports the best has tested five times.

    Raises:
        InputError: as `compare_methods`.
    """
    return [
        compare_methods(
            baseline_SN,
            method_SN,
            groups_N,
            group_names,
            baseline_name=baseline_name,
            method_name=name,
            target=Target(worst_group_index, n_picked, len(methods)),
            seed=seed,
            sufficient=sufficient,
            sources_N=sources_N,
        )
        for name, method_SN in methods.items()
    ]


def compare_methods(  # noqa: PLR0913 - most keyword-only, each a thing of its own
    baseline_SN: BoolArray,
    method_SN: BoolArray,
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    baseline_name: str,
    method_name: str,
    target: Target,
    seed: int,
    sufficient: Sequence[bool] | None = None,
    sources_N: Int64Array | None = None,
) -> MethodComparison:
    """Gain of a method over a baseline in the baseline's worst group, of the worst groups, and per group.

    `gain` compares both methods in one group. That group was picked on these very images for being
    the baseline's worst, so part of its gain is regression to the mean: with 60 equal groups, a
    method that changes nothing seems to gain. Its interval and p-value allow for that, and for the number
    of methods (`target`). `worst_group_gain` compares each method's own worst
    group, which is picked in the same way on both sides. Intervals are percentiles of a bootstrap
    over images (within groups), shifted so that its mean is the observed value, since a minimum of
    redrawn groups is lower than the minimum it was drawn from, and widened for new seeds by Student's
    t (`SeedShifts`). The p-value is that interval's: it asks about images and trainings, and is None below
    three seeds, which say nothing about training. Seeds are paired in order; with unequal counts
    the surplus is left out.

    `groups` has every group with its pointwise interval and p-value and, corrected over the groups
    that are `sufficient`, Holm's. A group without images has gain 0 in -1..1; groups that are not
    sufficient have no p-value.

    Args:
        baseline_SN, method_SN: whether seed s is right on image n.
        target: the baseline's worst group.
        sufficient: per group, whether it has enough images; None = those that have any.
        sources_N: scene or patient of each image; the bootstrap redraws whole ones.

    Raises:
        InputError: shapes that do not agree, or no image of the worst group.
    Source: Holm 1979; Efron and Tibshirani 1993; Graybill and Wang 1980.
    """
    n_seeds = min(len(baseline_SN), len(method_SN))
    before_SN, after_SN = baseline_SN[:n_seeds], method_SN[:n_seeds]
    check_pair(before_SN, after_SN, groups_N)
    present, counts_G = np.unique(groups_N, return_counts=True)
    if target.group not in present:
        raise InputError(f"worst group {target.group}: no image of that group to compare on.")
    rng = np.random.default_rng(seed)
    before_SG, after_SG = (group_means(side, groups_N, present) for side in (before_SN, after_SN))
    before_BG, after_BG = bootstrap_groups(before_SN, after_SN, groups_N, present, rng, sources_N=sources_N)
    shifts = SeedShifts(before_SN, after_SN, groups_N, sources_N=sources_N)
    gain_G, draws_BG = (after_SG - before_SG).mean(axis=0), after_BG - before_BG
    images = [percentiles(float(gain_G[i]), draws_BG[:, i], int(n)) for i, n in enumerate(counts_G)]
    worst = int(np.flatnonzero(present == target.group)[0])
    gain = shifts.of_group(images[worst], worst, n_picked=target.n_picked, n_tests=target.n_tests)
    worst_gain = _between_worst(shifts, (before_SG, after_SG), (before_BG, after_BG), n=len(groups_N))
    return MethodComparison(
        baseline=baseline_name,
        method=method_name,
        group=group_names[target.group],
        gain=gain.estimate,
        worst_group_gain=worst_gain.estimate,
        p_value=gain.p_value,
        per_seed_gain=[float(v) for v in after_SG.min(axis=1) - before_SG.min(axis=1)],
        groups=_group_comparisons(
            {int(g): shifts.of_group(images[i], i) for i, g in enumerate(present)}, group_names, sufficient
        ),
    )


def worst_group_change(
    before_SN: BoolArray,
    after_SN: BoolArray,
    groups_N: Int64Array,
    *,
    n_picked: int = 1,
    seed: int = 0,
    sources_N: Int64Array | None = None,
) -> Change:
    """The worst group after minus the worst group before, as `worst_group_gain` of `compare_methods`.

    Args:
        n_picked: changes that this one was picked from for its height.
        sources_N: scene or patient of each image; the bootstrap redraws whole ones.

    Raises:
        InputError: shapes that do not agree.
    """
    check_pair(before_SN, after_SN, groups_N)
    present = np.unique(groups_N)
    means = [group_means(side, groups_N, present) for side in (before_SN, after_SN)]
    rng = np.random.default_rng(seed)
    drawn = bootstrap_groups(before_SN, after_SN, groups_N, present, rng, sources_N=sources_N)
    shifts = SeedShifts(before_SN, after_SN, groups_N, sources_N=sources_N)
    return _between_worst(shifts, (means[0], means[1]), drawn, n=len(groups_N), n_picked=n_picked)


def _between_worst(
    shifts: SeedShifts,
    means: tuple[Float64Array, Float64Array],
    drawn: tuple[Float64Array, Float64Array],
    *,
    n: int,
    n_picked: int = 1,
) -> Change:
    (before_SG, after_SG), (before_BG, after_BG) = means, drawn
    first, second = (int(side.mean(axis=0).argmin()) for side in means)
    value = float(after_SG[:, second].mean() - before_SG[:, first].mean())
    images = percentiles(value, after_BG.min(axis=1) - before_BG.min(axis=1), n)
    return shifts.of_two(images, first, second, n_picked=n_picked)


def _group_comparisons(
    changes: Mapping[int, Change], names: Sequence[str], sufficient: Sequence[bool] | None
) -> list[GroupComparison]:
    enough = [g for g in range(len(names)) if g in changes and (sufficient is None or sufficient[g])]
    p_values = {g: p for g in enough if (p := changes[g].p_value) is not None}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    nothing = Estimate(value=0.0, low=-1.0, high=1.0, n=0)
    return [
        GroupComparison(
            name=name,
            gain=changes[g].estimate if g in changes else nothing,
            p_value=p_values.get(g),
            p_holm=corrected.get(g),
            sufficient=g in enough,
        )
        for g, name in enumerate(names)
    ]
