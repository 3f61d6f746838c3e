"""Rung 5: whether a method fixes the harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.words import count, p_clause, quoted
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import MethodComparison
from pipeline.records.verdict import Repair, Rung, Status, Thresholds
from pipeline.verdict.cause.caused_by import UNHARMED
from pipeline.verdict.evidence.rules import MIN_SEEDS, judge_effect
from pipeline.verdict.fix.remaining import is_favoured, remaining_text
from pipeline.verdict.phrases import method_label, points_phrase


def judge_fixed_by(
    info: DatasetInfo,
    comparisons: Sequence[MethodComparison],
    *,
    baseline: str | None,
    harmful: Status,
    limits: Thresholds,
    repairs: Mapping[str, Repair] | None = None,
    best: MethodComparison | None = None,
    n_others: int = 0,
) -> Rung:
    """Does another method raise the baseline's worst group, paired over test images and seeds.

    Args:
        repairs: what a method's gain is worth, where the groups of both are known.
        best: the one that is spoken of, as validation chose it; None: the best on test.
        n_others: methods that were trained beside the baseline, comparable or not.
    """
    repairs = repairs or {}
    best = best or best_comparison(comparisons, baseline, limits, repairs)
    name = method_label(best.method) if best else "another method"
    question = f"Does {name} fix it?"
    if best is None:
        what = "No other method that is better than a constant" if n_others else "No other method"
        return Rung(
            rung="fixed_by",
            question=question,
            status="insufficient",
            evidence=f"{what} was trained, so there is nothing to compare.",
            was_run=n_others > 0,
        )
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
        status, text = "insufficient", f"{UNHARMED}, so neither is whether it is repaired. " + text
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
