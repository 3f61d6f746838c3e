"""One method against a baseline on the same test images: overall, in the worst group, in every group.

Shape legend: S seeds, N images, G groups, B bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.results import Estimate, GroupComparison, MethodComparison
from pipeline.core.types import BoolArray, Int64Array
from pipeline.metrics.intervals import clip_difference, widen
from pipeline.metrics.paired import bootstrap_groups, check_pair, group_means, percentiles
from pipeline.metrics.seed_shifts import SeedShifts
from pipeline.metrics.sign_flips import holm, sign_flip_p

_CONFIDENCE = 0.95


def compare_all(
    baseline_SN: BoolArray,
    methods: Mapping[str, BoolArray],
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    baseline_name: str,
    worst_group_index: int,
    seed: int,
    sufficient: Sequence[bool] | None = None,
) -> list[MethodComparison]:
    """`compare_methods` for each method, `p_holm` corrected over the methods (Holm).

    Whoever tries five methods and reports the best has tested five times.

    Raises:
        InputError: as `compare_methods`.
    """
    found = [
        compare_methods(
            baseline_SN,
            method_SN,
            groups_N,
            group_names,
            baseline_name=baseline_name,
            method_name=name,
            worst_group_index=worst_group_index,
            seed=seed,
            sufficient=sufficient,
        )
        for name, method_SN in methods.items()
    ]
    corrected = holm([comparison.p_value for comparison in found])
    return [c.model_copy(update={"p_holm": p}) for c, p in zip(found, corrected, strict=True)]


def compare_methods(
    baseline_SN: BoolArray,
    method_SN: BoolArray,
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    baseline_name: str,
    method_name: str,
    worst_group_index: int,
    seed: int,
    sufficient: Sequence[bool] | None = None,
) -> MethodComparison:
    """Gain of a method over a baseline in the baseline's worst group, of the worst groups, and per group.

    `gain` compares both methods in one group. That group was picked on these very images for being
    the baseline's worst, so part of its gain is regression to the mean: with 60 equal groups, a
    method that changes nothing seems to gain. Its interval and p-value are therefore simultaneous
    (Bonferroni) over the groups with images. `worst_group_gain` compares each method's own worst
    group, which is picked in the same way on both sides. Intervals are percentiles of a bootstrap
    over images (within groups), shifted so that its mean is the observed value, since a minimum of
    redrawn groups is lower than the minimum it was drawn from, and widened for new seeds by Student's
    t (`SeedShifts`). The p-value flips the signs of
    per-image differences, which for one seed is McNemar's exact test; it asks about these trained
    models, while the interval also covers new seeds. Seeds are paired in order; with unequal counts
    the surplus is left out.

    `groups` has every group with its pointwise interval, its p-value and, corrected over the groups
    that are `sufficient`, Holm's. A group without images has gain 0 in -1..1 and p = 1.

    Args:
        baseline_SN, method_SN: whether seed s is right on image n.
        sufficient: per group, whether it has enough images; None = those that have any.

    Raises:
        InputError: shapes that do not agree, or no image of the worst group.
    Source: McNemar 1947; Holm 1979; Efron and Tibshirani 1993.
    """
    n_seeds = min(len(baseline_SN), len(method_SN))
    before_SN, after_SN = baseline_SN[:n_seeds], method_SN[:n_seeds]
    check_pair(before_SN, after_SN, groups_N)
    present, counts_G = np.unique(groups_N, return_counts=True)
    if worst_group_index not in present:
        raise InputError(f"worst_group_index = {worst_group_index}: no image of that group to compare on.")
    rng = np.random.default_rng(seed)
    before_SG, after_SG = (group_means(side, groups_N, present) for side in (before_SN, after_SN))
    before_BG, after_BG = bootstrap_groups(before_SN, after_SN, groups_N, present, rng)
    shifts = SeedShifts(before_SN, after_SN, groups_N)
    gain_G, draws_BG = (after_SG - before_SG).mean(axis=0), after_BG - before_BG
    gains = {
        int(g): shifts.widen_group(
            percentiles(float(gain_G[i]), draws_BG[:, i], int(counts_G[i])), i, _CONFIDENCE
        )
        for i, g in enumerate(present)
    }
    difference_N = after_SN.mean(axis=0) - before_SN.mean(axis=0)
    p_values = {g: sign_flip_p(difference_N[groups_N == g], rng) for g in _first(worst_group_index, gains)}
    gain = widen(gains[worst_group_index], n_comparisons=len(present), alpha=1 - _CONFIDENCE)
    first, second = (int(side.mean(axis=0).argmin()) for side in (before_SG, after_SG))
    worst_gain = float(after_SG[:, second].mean() - before_SG[:, first].mean())
    images = percentiles(worst_gain, after_BG.min(axis=1) - before_BG.min(axis=1), len(groups_N))
    return MethodComparison(
        baseline=baseline_name,
        method=method_name,
        group=group_names[worst_group_index],
        gain=clip_difference(gain),
        worst_group_gain=shifts.widen_between(images, first, second, _CONFIDENCE),
        p_value=min(1.0, len(present) * p_values[worst_group_index]),
        per_seed_gain=[float(v) for v in after_SG.min(axis=1) - before_SG.min(axis=1)],
        groups=_group_comparisons(gains, p_values, group_names, sufficient),
    )


def _first(chosen: int, groups: Iterable[int]) -> list[int]:
    """The chosen group's random flips must not depend on how many groups come before it."""
    return [chosen, *(g for g in groups if g != chosen)]


def _group_comparisons(
    gains: Mapping[int, Estimate],
    p_values: Mapping[int, float],
    names: Sequence[str],
    sufficient: Sequence[bool] | None,
) -> list[GroupComparison]:
    tested = [g for g in range(len(names)) if g in gains and (sufficient is None or sufficient[g])]
    corrected = dict(zip(tested, holm([p_values[g] for g in tested]), strict=True))
    nothing = Estimate(value=0.0, low=-1.0, high=1.0, n=0)
    return [
        GroupComparison(
            name=name,
            gain=gains.get(g, nothing),
            p_value=p_values.get(g, 1.0),
            p_holm=corrected.get(g),
            sufficient=g in corrected,
        )
        for g, name in enumerate(names)
    ]
