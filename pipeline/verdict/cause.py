"""Rungs 4 and 5: which training images cause the harm, and whether a method fixes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.words import count, p_clause, per_thousand, quoted
from pipeline.records.attribution import AttributionResult, GroupAttribution
from pipeline.records.base import Estimate
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import MethodComparison
from pipeline.records.verdict import Repair, Rung, Status, Thresholds
from pipeline.statistics.intervals import widen
from pipeline.verdict.evidence import MIN_SEEDS, judge_effect
from pipeline.verdict.phrases import method_label, points_phrase
from pipeline.verdict.remaining import is_favoured, remaining_text
from pipeline.verdict.trust import describe_trust, judge_support

# --- rung 4 ----------------------------------------------------------------------------------


def judge_caused_by(
    info: DatasetInfo,
    attribution: AttributionResult | None,
    *,
    worst: int | None,
    harmful: Status,
    limits: Thresholds,
) -> Rung:
    """Do training images of the aligned groups of other classes hurt the test group of index `worst`."""
    suspects = [] if worst is None else aligned_opponents(info, worst)
    cells = (
        [c for c in attribution.groups if c.test_index == worst and c.train_index in suspects]
        if attribution
        else []
    )
    if attribution is None or worst is None or not cells:
        text = _why_no_cells(attribution, None if worst is None else info.groups[worst].name)
        return Rung(
            rung="caused_by",
            question=_CAUSE_QUESTION,
            status="insufficient",
            evidence=text,
            was_run=attribution is not None,
        )
    cell = min(cells, key=lambda c: c.high)
    # older results do not say how many of the group were scored: of a subset only the total is known
    is_whole = attribution.n_train == attribution.n_train_total
    n = cell.n_train or (info.groups[cell.train_index].n_train if is_whole else attribution.n_train)
    estimate = Estimate(value=cell.value, low=cell.low, high=cell.high, n=n)
    wide = widen(estimate, n_comparisons=len(cells), alpha=limits.alpha)
    text = _cause_text(cell, wide, len(cells), attribution)
    text += describe_trust(attribution, cell.train_index, cell.test_index)
    support = judge_support(attribution, cell.train_index, cell.test_index)
    status: Status = "yes" if wide.high < 0 else "no"
    if status == "yes" and support in ("doubtful", "refuted"):
        status = "insufficient"
    if harmful == "no":
        status, text = "no", "No group is clearly harmed, so there is no harm to trace. " + text
    elif harmful == "insufficient":
        status, text = "insufficient", f"{_UNHARMED}. " + text
    return Rung(
        rung="caused_by", question=_CAUSE_QUESTION, status=status, evidence=text, estimate=wide, unit="score"
    )


_CAUSE_QUESTION = "Which training images cause it?"
_UNHARMED = "Whether a group is harmed is not established"


def _why_no_cells(attribution: AttributionResult | None, worst: str | None) -> str:
    if attribution is None:
        return "Attribution was not run."
    if worst is None:
        return "No worst group with enough images is known, so there is no target to trace."
    return (
        f"No other class has most of its training images where {quoted(worst)} has its attribute value, "
        "so no group of training images is under suspicion."
    )


def aligned_opponents(info: DatasetInfo, worst: int) -> list[int]:
    """Groups, by index, of other labels with the worst one's attribute value that are their label's majority.

    These are the images that teach the shortcut: for waterbirds on land, landbirds on land.
    """
    target = info.groups[worst]
    largest: dict[str, int] = {}
    for group in info.groups:
        largest[group.label] = max(largest.get(group.label, 0), group.n_train)
    return [
        g
        for g, group in enumerate(info.groups)
        if group.label != target.label
        and group.attribute == target.attribute
        and 0 < group.n_train == largest[group.label]
    ]


def _cause_text(cell: GroupAttribution, wide: Estimate, n_cells: int, attribution: AttributionResult) -> str:
    verb = "hurt" if cell.value < 0 else "do not hurt"
    corrected = f", Bonferroni over {n_cells} groups" if n_cells > 1 else ""
    worst = cell.test_group
    is_known = cell.n_train or attribution.n_train == attribution.n_train_total
    where = "" if is_known else " scored, of all groups"
    own = next((c for c in attribution.groups if c.train_index == cell.test_index == c.test_index), None)
    control = f"; its own training images score {per_thousand(own.value)} for comparison" if own else ""
    return (
        f"Training images of {quoted(cell.train_group)} {verb} {quoted(worst)} on test: mean score "
        f"{per_thousand(wide.value)} per 1,000 images (95% interval {per_thousand(wide.low)} to "
        f"{per_thousand(wide.high)}{corrected}, "
        f"n = {count(wide.n)} training images{where}; negative hurts){control}."
    )


# --- rung 5 ----------------------------------------------------------------------------------


def judge_fixed_by(
    info: DatasetInfo,
    comparisons: Sequence[MethodComparison],
    *,
    baseline: str | None,
    harmful: Status,
    limits: Thresholds,
    repairs: Mapping[str, Repair] | None = None,
) -> Rung:
    """Does another method raise the baseline's worst group, paired over test images and seeds.

    `repairs` says what its gain is worth, where the groups of both are known.
    """
    repairs = repairs or {}
    best = best_comparison(comparisons, baseline, limits, repairs)
    name = method_label(best.method) if best else "another method"
    question = f"Does {name} fix it?"
    if best is None:
        text = "No other method that is better than a constant was trained, so there is nothing to compare."
        return Rung(rung="fixed_by", question=question, status="insufficient", evidence=text)
    status = _worth(best, limits, repairs)
    verb = "raises" if best.gain.value > 0 else "does not raise"
    clear = clear_gains(comparisons, baseline, limits)
    text = (
        f"{name} {verb} accuracy in {quoted(best.group)}: {points_phrase(best.gain)}"
        f"{p_clause(best.p_value)}, same test images{_among(len(_against(baseline, comparisons)), clear)}"
        f"{_repair_text(best.method, clear, repairs)}"
    )
    if len(best.per_seed_gain) < MIN_SEEDS:
        status = "insufficient"
        text += (
            f" Trained with {count(len(best.per_seed_gain))} of the {MIN_SEEDS} seeds that this takes: one "
            "training says nothing about training."
        )
    elif best.gain.n < limits.min_test:
        status = "insufficient"
        text += f" The group needs {count(limits.min_test)} test images."
    elif is_favoured(info, best.group_index):
        status = "insufficient"
        text = f"In {quoted(best.group)} the cue points the right way: raising it would repair no harm."
    if harmful == "no":
        status, text = "no", "No group is clearly harmed, so there is nothing to fix. " + text
    elif harmful == "insufficient":
        status, text = "insufficient", f"{_UNHARMED}, so neither is whether it is repaired. " + text
    return Rung(
        rung="fixed_by",
        question=question,
        status=status,
        evidence=text,
        estimate=best.gain,
        unit="difference",
    )


def best_comparison(
    comparisons: Sequence[MethodComparison],
    baseline: str | None,
    limits: Thresholds,
    repairs: Mapping[str, Repair],
) -> MethodComparison | None:
    """The comparison against the baseline with the best answer to "is it fixed", then the largest gain.

    It is picked for its gain: intervals of gains allow for that (`compare_all`).
    """
    return min(
        _against(baseline, comparisons),
        key=lambda c: (_ORDER.index(_worth(c, limits, repairs)), -c.gain.value),
        default=None,
    )


def _worth(comparison: MethodComparison, limits: Thresholds, repairs: Mapping[str, Repair]) -> Status:
    repair, gain = repairs.get(comparison.method), comparison.gain
    return repair.status if repair else judge_effect(gain.value, gain.low, limits.min_effect)


def _repair_text(best: str, clear: Sequence[str], repairs: Mapping[str, Repair]) -> str:
    """What clear gains are worth: of the best method what is left and what it costs, of others the costs."""
    text = ""
    for method in sorted(set(clear) & set(repairs), key=lambda name: name != best):
        repair = repairs[method]
        if method == best and repair.left is not None:
            text += f" What is left of the gap: {remaining_text(repair.left)}."
        if repair.costs:
            text += f" But {'' if method == best else f'with {method_label(method)} '}{repair.costs}."
    return text


_ORDER: tuple[Status, ...] = ("yes", "partly", "insufficient", "no")


def _against(baseline: str | None, comparisons: Sequence[MethodComparison]) -> list[MethodComparison]:
    return [c for c in comparisons if c.baseline == baseline]


def clear_gains(
    comparisons: Sequence[MethodComparison], baseline: str | None, limits: Thresholds
) -> list[str]:
    """Methods that clearly raise the baseline's worst group, corrected for how many were tried."""
    return [
        c.method
        for c in _against(baseline, comparisons)
        if len(c.per_seed_gain) >= MIN_SEEDS
        and judge_effect(c.gain.value, c.gain.low, limits.min_effect) == "yes"
    ]


def _among(n_tried: int, clear: Sequence[str]) -> str:
    """The end of the sentence: which of several methods raise the group."""
    if n_tried < 2:
        return "."
    names = ", ".join(map(method_label, clear)) or "none"
    return f"; corrected for {n_tried} methods. Clearly raised by: {names}."
