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
from pipeline.statistics.accuracy.worst_group import WorstGroup, lowest_of
from pipeline.statistics.comparison.paired import (
    bootstrap_groups,
    check_pair,
    group_means,
    measure_change,
    percentiles,
)
from pipeline.statistics.comparison.seed_shifts import Change, SeedShifts
from pipeline.statistics.multiplicity import holm


class Contender(NamedTuple):
    """Whether a method's seed s is right on image n, and its own worst group on these images."""

    method: str
    correct_SN: BoolArray
    worst: WorstGroup


class Target(NamedTuple):
    """The group that a comparison is about."""

    group: int
    n_picked: int = 1  # groups that it was picked from, for its height
    n_tests: int = 1  # methods that are compared with the baseline


def compare_all(
    baseline: Contender,
    methods: Sequence[Contender],
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    target: Target,
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
            baseline,
            method,
            groups_N,
            group_names,
            target=target._replace(n_tests=len(methods)),
            seed=seed,
            sufficient=sufficient,
            sources_N=sources_N,
        )
        for method in methods
    ]


def compare_methods(
    baseline: Contender,
    method: Contender,
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    target: Target,
    seed: int,
    sufficient: Sequence[bool] | None = None,
    sources_N: Int64Array | None = None,
) -> MethodComparison:
    """Gain of a method over a baseline in the baseline's worst group, of the worst groups, and per group.

    `gain` compares both methods in one group. That group was picked on these very images for being
    the baseline's worst, so part of its gain is regression to the mean: with 60 equal groups, a
    method that changes nothing seems to gain. Its interval and p-value allow for that, and for the number
    of methods (`target`). `worst_group_gain` compares each method's own worst group, the one that its
    split metrics name; in a bootstrap draw and in a seed the worst is taken among the groups that it was
    chosen from, so that none that is too small to count has a say. Intervals are percentiles of a bootstrap
    over images (within groups), shifted so that its mean is the observed value, since a minimum of
    redrawn groups is lower than the minimum it was drawn from, and widened for new seeds by Student's
    t (`SeedShifts`). The p-value is that interval's: it asks about images and trainings, and is None below
    three seeds, which say nothing about training. Seeds are paired in order; with unequal counts
    the surplus is left out.

    `groups` has every group: with the interval of whoever asked about it alone, with the one that allows for
    all groups having been looked at (of the target: `gain`), with its pointwise p-value and, corrected over
    the groups that are `sufficient`, Holm's. A group without images has gain 0 in -1..1; groups that are not
    sufficient have no p-value.

    Args:
        target: the group that `gain` is about: the baseline's worst, or the one that pays for the cue,
            which may be another.
        sufficient: per group, whether it has enough images; None = those that have any.
        sources_N: scene or patient of each image; the bootstrap redraws whole ones.

    Raises:
        InputError: shapes that do not agree, or no image of a group that is asked about.
    Source: Holm 1979; Efron and Tibshirani 1993; Graybill and Wang 1980.
    """
    n_seeds = min(len(baseline.correct_SN), len(method.correct_SN))
    before_SN, after_SN = baseline.correct_SN[:n_seeds], method.correct_SN[:n_seeds]
    check_pair(before_SN, after_SN, groups_N)
    present, counts_G = np.unique(groups_N, return_counts=True)
    asked = {target.group, *baseline.worst.considered, *method.worst.considered}
    if missing := sorted(asked.difference(present.tolist())):
        raise InputError(f"group {missing[0]}: no image of that group to compare on.")
    rng = np.random.default_rng(seed)
    before_SG, after_SG = (group_means(side, groups_N, present) for side in (before_SN, after_SN))
    before_BG, after_BG = bootstrap_groups(before_SN, after_SN, groups_N, present, rng, sources_N=sources_N)
    shifts = SeedShifts(before_SN, after_SN, groups_N, sources_N=sources_N)
    gain_G, draws_BG = (after_SG - before_SG).mean(axis=0), after_BG - before_BG
    images = [percentiles(float(gain_G[i]), draws_BG[:, i], int(n)) for i, n in enumerate(counts_G)]
    at = present.tolist().index(target.group)
    gain = shifts.of_group(images[at], at, n_picked=target.n_picked, n_tests=target.n_tests)
    worst = baseline.worst.among(present), method.worst.among(present)
    worst_gain = _between_worst(shifts, worst, (before_SG, after_SG), (before_BG, after_BG), counts_G)
    average = measure_change(before_SN, after_SN, groups_N, seed=seed, sources_N=sources_N)
    alone = {int(g): shifts.of_group(images[i], i) for i, g in enumerate(present)}
    among = {int(g): shifts.of_group(images[i], i, n_picked=len(present)) for i, g in enumerate(present)}
    among[target.group] = gain
    return MethodComparison(
        baseline=baseline.method,
        method=method.method,
        group=group_names[target.group],
        group_index=target.group,
        gain=gain.estimate,
        average_gain=average.estimate,
        worst_group_gain=worst_gain.estimate,
        p_value=gain.p_value,
        per_seed_gain=(worst[1].accuracies(after_SG) - worst[0].accuracies(before_SG)).tolist(),
        groups=_group_comparisons(alone, among, group_names, sufficient),
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

    The worst is the lowest of all groups in `groups_N`: whoever asks passes the images that count.

    Args:
        n_picked: changes that this one was picked from for its height.
        sources_N: scene or patient of each image; the bootstrap redraws whole ones.

    Raises:
        InputError: shapes that do not agree.

    >>> groups_N = np.repeat([0, 1], 200)
    >>> before_SN = np.stack([np.arange(400) % 200 < 100 + 80 * (groups_N == 0)] * 5)
    >>> found = worst_group_change(before_SN, np.ones((5, 400), bool), groups_N)
    >>> round(found.estimate.value, 2), found.estimate.low > 0.3
    (0.5, True)
    """
    check_pair(before_SN, after_SN, groups_N)
    present, counts_G = np.unique(groups_N, return_counts=True)
    before_SG, after_SG = (group_means(side, groups_N, present) for side in (before_SN, after_SN))
    worst = tuple(lowest_of(side.mean(axis=0), range(len(present))) for side in (before_SG, after_SG))
    rng = np.random.default_rng(seed)
    drawn = bootstrap_groups(before_SN, after_SN, groups_N, present, rng, sources_N=sources_N)
    shifts = SeedShifts(before_SN, after_SN, groups_N, sources_N=sources_N)
    return _between_worst(
        shifts, (worst[0], worst[1]), (before_SG, after_SG), drawn, counts_G, n_picked=n_picked
    )


def _between_worst(
    shifts: SeedShifts,
    worst: tuple[WorstGroup, WorstGroup],
    means: tuple[Float64Array, Float64Array],
    drawn: tuple[Float64Array, Float64Array],
    counts_G: Int64Array,
    *,
    n_picked: int = 1,
) -> Change:
    """Each side's own worst group; everything by position among the groups that have images."""
    (before_SG, after_SG), (before_BG, after_BG) = means, drawn
    before, after = worst
    value = float(after_SG[:, after.group].mean() - before_SG[:, before.group].mean())
    draws_B = after.accuracies(after_BG) - before.accuracies(before_BG)
    n = int(counts_G[sorted({*before.considered, *after.considered})].sum())
    return shifts.of_two(percentiles(value, draws_B, n), before.group, after.group, n_picked=n_picked)


def _group_comparisons(
    alone: Mapping[int, Change],
    among: Mapping[int, Change],
    names: Sequence[str],
    sufficient: Sequence[bool] | None,
) -> list[GroupComparison]:
    """Args: both by group, of those with images: the change by itself, and picked from all of them."""
    enough = [g for g in range(len(names)) if g in alone and (sufficient is None or sufficient[g])]
    p_values = {g: p for g in enough if (p := alone[g].p_value) is not None}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    nothing = Estimate(value=0.0, low=-1.0, high=1.0, n=0)
    return [
        GroupComparison(
            index=g,
            name=name,
            gain=among[g].estimate if g in among else nothing,
            alone=alone[g].estimate if g in alone else nothing,
            p_value=p_values.get(g),
            p_holm=corrected.get(g),
            sufficient=g in enough,
        )
        for g, name in enumerate(names)
    ]
