"""What a method that raises the harmed group does to the others: a gain that moves the harm is no repair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.words import count, join_names, percent, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.verdict import Remaining, Repair, Status, Thresholds
from pipeline.statistics.intervals import clip_difference, independent_difference, widen
from pipeline.verdict.evidence.rules import GroupedData, judge_effect, printed, weakest
from pipeline.verdict.fix.remaining import is_open, is_reversed, measure_remaining
from pipeline.verdict.harm.paying import Harm, find_harm
from pipeline.verdict.phrases import accuracy_brief

NAMED = 2  # groups that a sentence names


class _Pair(NamedTuple):
    """One group under the baseline and under the method, both as they are printed."""

    before: GroupEstimate
    after: GroupEstimate
    gain: Estimate  # paired; the interval of this group alone

    def text(self) -> str:
        before, after = percent(self.before.value), accuracy_brief(self.after)
        return f"in {quoted(self.after.name)} from {before} to {after}"


def judge_repairs(
    info: GroupedData,
    baseline: EvaluationResult,
    others: Sequence[EvaluationResult],
    comparisons: Sequence[MethodComparison],
    limits: Thresholds,
) -> dict[str, Repair]:
    """Method -> what its gain over the baseline is worth, for methods that were evaluated."""
    methods = {other.method: other for other in others}
    return {
        c.method: judge_repair(info, baseline, methods[c.method], c, limits)
        for c in comparisons
        if c.baseline == baseline.method and c.method in methods
    }


def judge_repair(
    info: GroupedData,
    baseline: EvaluationResult,
    method: EvaluationResult,
    comparison: MethodComparison,
    limits: Thresholds,
) -> Repair:
    """A clear gain counts where no other group is where the harmed one was, and fully where none pays.

    *No* where another group clearly falls to where it is not clearly above what the baseline had in the
    harmed group, or where one that pays for the cue under the method is no higher than that; *insufficient*
    where that is not clear. A hard group that keeps its accuracy is not held against the method. *Partly*
    where the gap is open or turned round, where another group pays for the cue under the method, or where a
    group with too few images to count clearly falls.
    """
    left = measure_remaining(info, baseline, method, comparison, limits)
    status = judge_effect(comparison.gain.value, comparison.gain.low, limits.min_effect)
    harmed = baseline.test.groups[comparison.group_index]
    if status != "yes" or not harmed.n:
        return Repair(status=status, costs="", left=left)
    pairs = _pair_up(baseline, method, comparison, limits)
    fallen = [pair for pair in pairs if _falls(pair, len(pairs) + 1, limits)]
    moved = [pair for pair in fallen if _is_low(pair, harmed, limits)]
    if moved:
        costs = f"it moves the harm: {_falls_text(moved)}"
        if min(pair.after.value for pair in moved) > harmed.value:
            costs += f", not clearly above the {percent(harmed.value)} before in {quoted(harmed.name)}"
        return Repair(status="no", costs=costs, left=left)
    harm = _harm_elsewhere(info, method, comparison, limits)
    found, costs = _low_elsewhere(pairs, harm, harmed, limits)
    if found != "yes":
        return Repair(status=found, costs=costs, left=left)
    parts = _parts_paid((harm, method), fallen, comparison, left, limits)
    is_part = bool(parts) or (left is not None and is_open(left, limits))
    return Repair(status="partly" if is_part else "yes", costs="; ".join(parts), left=left)


def _pair_up(
    baseline: EvaluationResult, method: EvaluationResult, comparison: MethodComparison, limits: Thresholds
) -> list[_Pair]:
    """All groups but the raised one; unpaired, which is conservative, where a result has no paired gains."""
    gains = {group.index: group.alone for group in comparison.groups if group.alone.n}
    return [
        _Pair(
            printed(before, baseline.test, limits),
            printed(after, method.test, limits),
            gains.get(before.index) or clip_difference(independent_difference(after, before)),
        )
        for before, after in zip(baseline.test.groups, method.test.groups, strict=True)
        if before.n and after.n and before.index != comparison.group_index
    ]


def _falls(pair: _Pair, n_groups: int, limits: Thresholds) -> bool:
    """Whether a group clearly falls, corrected for all groups looked at.

    A bootstrap of a handful of images that all turn wrong has no width, so as many images must be lost as
    an exact sign test takes.
    """
    if pair.gain.value > -limits.min_effect:
        return False
    if widen(pair.gain, n_comparisons=n_groups, alpha=limits.alpha).high >= 0:
        return False
    n_lost = -pair.gain.value * pair.after.weight
    return bool(2.0 ** (1 - n_lost) * n_groups < limits.alpha)


def _is_low(pair: _Pair, harmed: GroupEstimate, limits: Thresholds) -> bool:
    """Not above the harmed group before; of a group too small to count, only where that needs no interval."""
    height = _height(pair, harmed, limits)
    return height != "yes" if pair.after.sufficient else height == "no"


def _height(pair: _Pair, harmed: GroupEstimate, limits: Thresholds) -> Status:
    """Whether the group lies above what the baseline had in the harmed one, by the rule of every effect."""
    above = independent_difference(pair.after, harmed)
    return judge_effect(above.value, above.low, limits.min_effect)


def _harm_elsewhere(
    info: GroupedData, method: EvaluationResult, comparison: MethodComparison, limits: Thresholds
) -> Harm | None:
    """The group that pays most under the method, where that is another one, by the size that matters."""
    harm = find_harm(info, method, limits)
    if (
        harm is None
        or harm.group.index == comparison.group_index
        or harm.gap is None
        or harm.interaction is None
    ):
        return None
    pays = min(harm.gap.points.value, harm.interaction.points.value)
    return harm if pays >= limits.min_effect else None


def _low_elsewhere(
    pairs: Sequence[_Pair],
    harm: Harm | None,
    harmed: GroupEstimate,
    limits: Thresholds,
) -> tuple[Status, str]:
    """The lowest of the other groups that fall or pay for the cue, against the harmed one before."""
    answerable = [
        pair
        for pair in pairs
        if pair.after.sufficient
        and (pair.gain.value <= -limits.min_effect or (harm and pair.after.index == harm.group.index))
    ]
    if not answerable:
        return "yes", ""
    found = weakest(*(_height(pair, harmed, limits) for pair in answerable))
    if found == "no" and (harm is None or harm.judge(limits) != "yes"):
        found = "insufficient"  # neither its fall nor that it pays is clear
    lowest = min(answerable, key=lambda pair: pair.after.value)
    return found, (
        f"{quoted(lowest.after.name)} has {accuracy_brief(lowest.after)} under it, not clearly more than the "
        f"{percent(harmed.value)} before in {quoted(harmed.name)}"
    )


def _parts_paid(
    under: tuple[Harm | None, EvaluationResult],
    fallen: Sequence[_Pair],
    comparison: MethodComparison,
    left: Remaining | None,
    limits: Thresholds,
) -> list[str]:
    """What makes a gain a part of a repair, beside a gap that is open.

    Args:
        under: the method, and the group that pays most under it.
    """
    (harm, method), parts = under, list[str]()
    small = [pair for pair in fallen if not pair.after.sufficient]
    if small:
        parts.append(f"{_falls_text(small)}, too few images to count")
    turned = [pair for pair in fallen if left is not None and pair.after.index == left.same_index]
    if left is not None and turned and is_reversed(left, limits):
        parts.append(f"the shortcut is reversed: {_falls_text(turned)}, below {quoted(comparison.group)}")
    if harm is not None and harm.same is not None and harm.judge(limits) == "yes":
        parts.append(
            f"under it {quoted(harm.group.name)} pays for the cue: "
            f"{accuracy_brief(printed(harm.group, method.test, limits))} against "
            f"{accuracy_brief(printed(harm.same, method.test, limits))} in {quoted(harm.same.name)}"
        )
    return parts


def _falls_text(pairs: Sequence[_Pair]) -> str:
    """ "accuracy falls in “a” from 70.0% to 21.9% (12.6 to 35.3, n = 300) and ..."."""
    lowest = sorted(pairs, key=lambda pair: pair.after.value)
    named = [pair.text() for pair in lowest[:NAMED]]
    if len(lowest) > NAMED:
        named.append(f"in {count(len(lowest) - NAMED)} more groups")
    return f"accuracy falls {join_names(named)}"
