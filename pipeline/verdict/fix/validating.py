"""What validation images say of every method, so that test images have no say in which one is chosen.

Shape legend: S seeds, N validation images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.core.types import BoolArray, Int64Array, Split
from pipeline.core.words import count, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.recommendation import Candidate, Validation
from pipeline.records.verdict import Thresholds
from pipeline.statistics.accuracy.worst_group import lowest_of, worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods, worst_group_change
from pipeline.verdict.evidence.rules import GroupedData, printed
from pipeline.verdict.fix.needs import groups_needed
from pipeline.verdict.harm.harmful import harmed_group
from pipeline.verdict.phrases import NO_VAL, why_not_by_validation

UNASKED = "predictions of them were not read"


def validate_methods(
    correct: Mapping[str, BoolArray],
    val: Split,
    info: GroupedData,
    evaluations: Sequence[EvaluationResult],
    limits: Thresholds,
) -> Validation:
    """Every method's lowest validation group, and how far it lies below the best one's.

    Groups are compared that have enough validation images. One that the baseline serves no better than the
    group that pays, and no worse than the rest of its own class, is low because the class is hard and left
    out: it would be every method's lowest, and hide what they do for the one that pays. Methods that
    validation images trained are not judged by them. Where the group that pays has too few nobody is.

    Args:
        correct: method -> whether its seeds are right on the validation images, S x N.
        evaluations: the baseline first.

    Source: multiple comparisons with the best, Hsu 1984 (Annals of Statistics 12:1136).
    """
    baseline, *others = evaluations
    harmed = harmed_group(info, baseline, limits)
    why_not = {e.method: why_not_by_validation(e) for e in others}
    if baseline.val is None:
        why_not = dict.fromkeys(why_not, NO_VAL)
    elif harmed is None or not baseline.val.groups[harmed.index].sufficient:
        why_not = dict.fromkeys(why_not, _too_few(baseline, harmed, limits))
    judged = [e for e in others if not why_not[e.method]]
    left_out = [
        Candidate(method=e.method, needs=groups_needed(e.labels_used), why_not=why_not[e.method])
        for e in others
        if why_not[e.method]
    ]
    if harmed is None or not judged:
        return Validation(candidates=left_out)
    groups = _compared_groups(info, baseline, harmed.index, limits)
    judged.sort(key=lambda e: -_lowest(e, groups).value)
    seen = _Seen(correct, val, groups)
    found = [
        Candidate(
            method=e.method,
            needs=groups_needed(e.labels_used),
            worst=_worst(e, groups, limits),
            behind=seen.lead(judged[0].method, e.method, n_picked=len(judged) - 1) if i else None,
            n_falling=_n_falling(seen.compare(baseline, e, harmed.index), limits),
        )
        for i, e in enumerate(judged)
    ]
    lead = seen.lead(judged[0].method, baseline.method, n_picked=len(judged))
    return Validation(candidates=found + left_out, lead=lead, groups=groups)


def unasked(others: Sequence[EvaluationResult]) -> Validation:
    """Where nobody looked at predictions of validation images."""
    left_out = (
        Candidate(method=e.method, needs=groups_needed(e.labels_used), why_not=UNASKED) for e in others
    )
    return Validation(candidates=list(left_out))


class _Seen:
    """Who is right on which validation image."""

    def __init__(self, correct: Mapping[str, BoolArray], val: Split, groups: Sequence[int]) -> None:
        self._correct, self._val = correct, val
        self._is_compared_N = np.isin(val.groups, groups)

    def lead(self, leader: str, method: str, *, n_picked: int) -> Estimate:
        """Lowest group of the leader minus that of a method, paired over images and seeds."""
        kept_N = self._is_compared_N
        n_seeds = min(len(self._correct[leader]), len(self._correct[method]))
        before_SN, after_SN = (self._correct[name][:n_seeds, kept_N] for name in (method, leader))
        change = worst_group_change(
            before_SN,
            after_SN,
            self._val.groups[kept_N],
            n_picked=max(1, n_picked),
            sources_N=self._sources(kept_N),
        )
        return change.estimate

    def compare(self, baseline: EvaluationResult, method: EvaluationResult, target: int) -> MethodComparison:
        """Every group's paired gain over the baseline."""
        assert baseline.val is not None
        assert method.val is not None
        first = Contender(baseline.method, self._correct[baseline.method], worst_of(baseline.val))
        second = Contender(method.method, self._correct[method.method], worst_of(method.val))
        return compare_methods(
            first,
            second,
            self._val.groups,
            [group.name for group in baseline.val.groups],
            target=Target(target, n_picked=len(baseline.val.considered)),
            seed=0,
            sufficient=[group.sufficient for group in baseline.val.groups],
            sources_N=self._val.sources,
        )

    def _sources(self, kept_N: BoolArray) -> Int64Array | None:
        return None if self._val.sources is None else self._val.sources[kept_N]


def _compared_groups(
    info: GroupedData, baseline: EvaluationResult, harmed: int, limits: Thresholds
) -> list[int]:
    assert baseline.val is not None
    own_groups, labels = baseline.val.groups, info.groups
    enough = [group for group in own_groups if group.sufficient]

    def counts(group: GroupEstimate) -> bool:
        own = [other.value for other in enough if labels[other.index].label == labels[group.index].label]
        is_low = group.value <= own_groups[harmed].value
        return not is_low or group.index == harmed or max(own) - group.value >= limits.min_effect

    return [group.index for group in enough if counts(group)]


def _lowest(evaluation: EvaluationResult, groups: Sequence[int]) -> GroupEstimate:
    assert evaluation.val is not None, evaluation.method
    found = evaluation.val.groups
    return found[lowest_of(np.array([group.value for group in found]), groups).group]


def _worst(evaluation: EvaluationResult, groups: Sequence[int], limits: Thresholds) -> GroupEstimate:
    assert evaluation.val is not None, evaluation.method
    return printed(_lowest(evaluation, groups), evaluation.val, limits)


def _n_falling(comparison: MethodComparison, limits: Thresholds) -> int:
    return sum(
        group.sufficient and group.gain.value <= -limits.min_effect and group.gain.high < 0
        for group in comparison.groups
    )


def _too_few(baseline: EvaluationResult, harmed: GroupEstimate | None, limits: Thresholds) -> str:
    if harmed is None:
        return "no group has enough images"
    assert baseline.val is not None
    n = baseline.val.groups[harmed.index].n
    return (
        f"{quoted(harmed.name)} has {count(n)} of the {count(limits.min_val)} validation images that it takes"
    )
