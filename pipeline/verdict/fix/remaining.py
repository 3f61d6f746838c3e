"""What is left of a group's gap after another method: a clear gain can leave most of it open."""

from __future__ import annotations

from pipeline.core.words import points, quoted
from pipeline.records.base import Estimate
from pipeline.records.data import ALIGNED
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.verdict import Remaining, Thresholds
from pipeline.statistics.cues.independence import compare_with_independence
from pipeline.statistics.intervals import clip_difference, independent_difference
from pipeline.verdict.evidence.rules import MISLED_RESIDUAL, GroupedData, is_of_cue, judge_effect
from pipeline.verdict.harm.harmful import guided_group
from pipeline.verdict.phrases import points_interval


def measure_remaining(
    info: GroupedData,
    baseline: EvaluationResult,
    method: EvaluationResult,
    comparison: MethodComparison,
    limits: Thresholds,
) -> Remaining | None:
    """None where the group has no test images."""
    raised, before = (e.test.groups[comparison.group_index] for e in (method, baseline))
    if not raised.n or not before.n:
        return None
    guided = guided_group(info, baseline, before, limits)
    same_before = baseline.test.groups[guided.index] if guided else None
    same = method.test.groups[guided.index] if guided else None
    same = same if same and same.n else None
    average = max(baseline.test.average, method.test.average, key=lambda found: found.value)
    return Remaining(
        to_average=_gap(average, raised),
        same=same.name if same else None,
        same_index=same.index if same else None,
        to_same=_gap(same, raised) if same else None,
        from_before=_gap(same_before, raised) if same_before else None,
    )


def is_open(left: Remaining, limits: Thresholds) -> bool:
    """Whether a clear gap is left, by the rule of every effect.

    To the same label where the cue is right, or to the average: but a class that is hard whatever the cue
    says stays below the average, so that one counts only until the group is where its label was before
    without the cue's harm. Bringing the others down to the group does not close it.
    """
    return _is_clear(left.to_same, limits) or (
        _is_clear(left.to_average, limits)
        and (left.from_before is None or _is_clear(left.from_before, limits))
    )


def is_reversed(left: Remaining, limits: Thresholds) -> bool:
    """Whether the same label where the cue is right is now clearly the lower one."""
    return left.to_same is not None and _is_clear(-left.to_same, limits)


def largest_gap(left: Remaining) -> Estimate:
    """To the average or to the same label where the cue is right, whichever is further away."""
    known = [gap for gap in (left.to_average, left.to_same) if gap is not None]
    return max(known, key=lambda gap: gap.value)


def remaining_text(left: Remaining) -> str:
    """ "+36.2 points [+28.1, +44.0] to the average and ... to “cat / left”, its label where ..."."""
    parts = [f"{_size(left.to_average)} to the average"]
    if left.to_same is not None and left.same is not None:
        parts.append(f"{_size(left.to_same)} to {quoted(left.same)}, its label where the cue is right")
    return " and ".join(parts)


def is_favoured(info: GroupedData, group: int) -> bool:
    """Whether the cue points the right way in a group: more training images than independence would give."""
    if not info.attributes or info.attributes[0].origin in ("inferred", "none"):
        return False
    if is_of_cue(info):
        return info.groups[group].attribute == ALIGNED
    return bool(compare_with_independence(info.groups).residual_G[group] >= -MISLED_RESIDUAL)


def _size(gap: Estimate) -> str:
    return f"{points(gap.value)} points {points_interval(gap)}"


def _gap(reference: Estimate, group: Estimate) -> Estimate:
    return clip_difference(independent_difference(reference, group))


def _is_clear(gap: Estimate | None, limits: Thresholds) -> bool:
    return gap is not None and judge_effect(gap.value, gap.low, limits.min_effect) == "yes"
