"""Rung 3: does a group pay for the cue."""

from __future__ import annotations

import math
from typing import Literal

from pipeline.core.results import Estimate, EvaluationResult, GroupEstimate
from pipeline.metrics.independence import compare_with_independence
from pipeline.metrics.intervals import independent_difference
from pipeline.report.evidence import (
    MISLED_RATIO,
    GroupedData,
    Rung,
    Status,
    Thresholds,
    has_enough,
    judge_effect,
    misled_groups,
    weakest,
    worst_enough_group,
    worst_misled_group,
)
from pipeline.report.wording import (
    accuracy_phrase,
    count,
    method_label,
    percent,
    points,
    points_phrase,
    quoted,
)


def judge_harmful(
    info: GroupedData,
    baseline: EvaluationResult | None,
    *,
    worst: GroupEstimate | None,
    limits: Thresholds,
) -> Rung:
    """Do groups in which the cue points the wrong way have lower accuracy than the average.

    A group can be worst for reasons that have nothing to do with the cue, so only misled groups
    (`misled_groups`) can show harm. `worst` is the worst group of all with enough images; None where
    fewer than two have enough.
    """
    question = "Does a group pay for it?"

    def answer(status: Status, text: str, estimate: GroupEstimate | None = None) -> Rung:
        plain = Estimate(**estimate.model_dump(include=set(Estimate.model_fields))) if estimate else None
        unit: Literal["accuracy"] | None = "accuracy" if estimate else None
        return Rung(
            rung="harmful", question=question, status=status, evidence=text, estimate=plain, unit=unit
        )

    needed = f"{count(limits.min_test)} test images"
    if baseline is None:
        return answer("insufficient", "No model was evaluated.")
    if worst is None:
        text = f"Fewer than two groups have the {needed} that a comparison needs."
        return answer("insufficient", text)
    if not info.attributes or info.attributes[0].origin == "none":
        text = f"No attribute forms groups, so nobody can be misled by one. {_worst_text(baseline, worst)}"
        return answer("insufficient", text, worst)
    misled = misled_groups(info)
    if not misled:
        text = (
            f"In no group does {quoted(info.attributes[0].name)} point the wrong way: each has at least "
            f"{percent(MISLED_RATIO, 0)} of the training images that label and attribute being independent "
            f"would give. {_worst_text(baseline, worst)}"
        )
        return answer("no", text, worst)
    harmed, n_candidates = worst_misled_group(info, baseline.test, limits)
    if harmed is None:
        text = f"None of the {count(len(misled))} groups that the cue misleads has {needed}."
        return answer("insufficient", text)
    same = guided_group(info, baseline, harmed, limits)
    text = _harm_text(info, baseline, harmed, n_candidates) + _same_label_text(same, harmed)
    return answer(_judge_gap(baseline, harmed, same, limits), text, harmed)


def harmed_group(
    info: GroupedData, baseline: EvaluationResult | None, limits: Thresholds
) -> GroupEstimate | None:
    """The group that the ladder speaks of: the worst misled one, or the worst where none is misled."""
    if baseline is None:
        return None
    harmed, _ = worst_misled_group(info, baseline.test, limits)
    worst = harmed or worst_enough_group(baseline.test, limits)
    is_best_of_the_rest = worst is not None and not harmed and worst.value > baseline.test.average.value
    return None if is_best_of_the_rest else worst


def _judge_gap(
    baseline: EvaluationResult, harmed: GroupEstimate, same: GroupEstimate | None, limits: Thresholds
) -> Status:
    """Harm is accuracy below the average, below luck, and below the same label's where the cue is right.

    The last one keeps a class that is hard everywhere from being called a victim of the cue; without a
    group to compare with, nothing better than "insufficient" can be said.
    """
    average, expected = baseline.test.average, baseline.test.expected_worst_if_equal
    status = judge_effect(average.value - harmed.value, average.value - harmed.high, limits.min_effect)
    by_label: Status = "insufficient"
    if same is not None:
        gap = independent_difference(same, harmed)
        by_label = judge_effect(gap.value, gap.low, limits.min_effect)
    status = weakest(status, by_label)
    is_luck = expected is not None and math.isfinite(expected) and harmed.value >= expected
    return "no" if status == "yes" and is_luck else status


def guided_group(
    info: GroupedData, baseline: EvaluationResult, harmed: GroupEstimate, limits: Thresholds
) -> GroupEstimate | None:
    """The same label where the cue is right: of its groups that are more frequent than independence
    would make them, the one with the most training images; None if that has too few test images.
    """
    label = next(group.label for group in info.groups if group.name == harmed.name)
    residual_G = compare_with_independence(info.groups).residual_G
    guided = [g for g, r in zip(info.groups, residual_G, strict=True) if g.label == label and r > 0]
    if not guided:
        return None
    name = max(guided, key=lambda group: group.n_train).name
    found = next((g for g in baseline.test.groups if g.name == name), None)
    return found if found and found.name != harmed.name and has_enough(found, limits) else None


def _same_label_text(same: GroupEstimate | None, harmed: GroupEstimate) -> str:
    if same is None:
        return " No group of the same label where the cue is right has enough images to compare with."
    return (
        f" The same label where the cue is right, {quoted(same.name)}: {accuracy_phrase(same)}, "
        f"{points_phrase(independent_difference(same, harmed))} away."
    )


def _harm_text(
    info: GroupedData, baseline: EvaluationResult, harmed: GroupEstimate, n_candidates: int
) -> str:
    average, expected = baseline.test.average, baseline.test.expected_worst_if_equal
    n_train = next(group.n_train for group in info.groups if group.name == harmed.name)
    gap = points(average.value - harmed.value).lstrip("+")
    which = f"the worst of {count(n_candidates)} groups" if n_candidates > 1 else "the one group"
    text = (
        f"{method_label(baseline.method)} is right on {accuracy_phrase(harmed)} of {quoted(harmed.name)}, "
        f"{which} that the cue misleads ({count(n_train)} training images), against "
        f"{accuracy_phrase(average)} on average: a gap of {gap} points."
    )
    if expected is not None and math.isfinite(expected):
        text += (
            f" If all groups were equally good, chance alone would put the worst near {percent(expected)}."
        )
    if baseline.test.worst_group.name != harmed.name:
        text += f" The lowest accuracy of all is in {quoted(baseline.test.worst_group.name)}."
    return text


def _worst_text(baseline: EvaluationResult, worst: GroupEstimate) -> str:
    return (
        f"{method_label(baseline.method)} is right on {accuracy_phrase(worst)} of {quoted(worst.name)}, "
        f"its worst group, against {accuracy_phrase(baseline.test.average)} on average."
    )
