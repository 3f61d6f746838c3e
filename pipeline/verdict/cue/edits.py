"""What moves the baseline's predictions: one edit in words, beside its control and the method that repairs.

Which edit is told does not hang on how much it moves: the exchange that decides whether the cue is used,
else the background painted over, else all color removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import percent, quoted
from pipeline.records.base import Estimate
from pipeline.records.evaluation import EvaluationResult, Flips
from pipeline.records.verdict import EditsVerdict, Status, Thresholds
from pipeline.statistics.intervals import independent_difference
from pipeline.verdict.cue.used import deciding_exchange
from pipeline.verdict.evidence.askable import why_not_asked
from pipeline.verdict.evidence.rules import judge_effect
from pipeline.verdict.phrases import edit_order, method_label

WITHOUT_CUE = ("background_fill", "greyscale")  # told where no exchange carries the cue, in this order


def beyond(flips: Flips) -> Estimate:
    """Flips beyond the control's; all of them without one."""
    return flips.rate if flips.control is None else independent_difference(flips.rate, flips.control)


def judge_edits(
    baseline: EvaluationResult | None, beside: EvaluationResult | None, limits: Thresholds
) -> EditsVerdict | None:
    """Does the told edit move the baseline's predictions, and does the method that fixes the harm hold still.

    Args:
        beside: the method that fixes the harm; None where none does.

    Returns:
        None where no image was changed. *Yes* and *no* go by the common rule, on the flips beyond the
        control's; without a control every one counts, and its interval must lie above or below what matters.
    """
    flips = baseline.flips if baseline else []
    told = _choose(baseline, flips) if baseline else None
    if baseline is None or told is None:
        return None
    other = _same_edit(beside, told.edit)
    method = beside.method if beside and other else None
    if why_not_asked(baseline, limits) is not None:
        text = "The model has not learned its task, so what moves its predictions says nothing about a cue"
        return EditsVerdict(edit=told.edit, moves="insufficient", beyond=None, beside=None, finding=text)
    moves = _judge(told, limits)
    return EditsVerdict(
        edit=told.edit,
        moves=moves,
        beyond=beyond(told),
        beside=method,
        finding=_finding(baseline, told, moves, limits),
        beside_finding=_beside(method, told, other, limits) if method and other else "",
    )


def _choose(baseline: EvaluationResult, flips: Sequence[Flips]) -> Flips | None:
    found, exchange = {f.edit: f for f in flips}, deciding_exchange(baseline.cue_use)
    if exchange is not None:
        return found[exchange.name]
    return next((found[name] for name in WITHOUT_CUE if name in found), next(iter(flips), None))


def _same_edit(evaluation: EvaluationResult | None, edit: str) -> Flips | None:
    return next((f for f in evaluation.flips if f.edit == edit), None) if evaluation else None


def _judge(told: Flips, limits: Thresholds) -> Status:
    if told.rate.n < limits.min_test:
        return "insufficient"
    if told.control is not None:
        return judge_effect(beyond(told).value, beyond(told).low, limits.min_effect)
    if told.rate.low >= limits.min_effect:
        return "yes"
    return "no" if told.rate.high < limits.min_effect else "insufficient"


def _finding(baseline: EvaluationResult, told: Flips, moves: Status, limits: Thresholds) -> str:
    if moves == "no" and told.rate.value < 0.01:
        return f"{edit_order(told.edit)} and hardly any prediction moves"
    text = f"{edit_order(told.edit)} and {of_hundred(told.rate)} predictions move"
    if told.control is None:
        return text + {"yes": "", "no": ": few"}.get(moves, ", which may be few or many")
    use = baseline.cue_use
    cue = quoted(use.cue.replace("_", " ")) if use and use.is_attribute else "color"
    control = of_hundred(told.control, short=True)
    text += {
        "yes": f"; if the {cue} stays the same, {control} do",
        "no": f", about as many as if the {cue} stays the same ({control})",
    }.get(moves, f"; if the {cue} stays the same, {control} do, too close to tell apart")
    if moves != "yes" and _moves_one_way(baseline, limits):
        text += f"; but with another {cue} more of them go to its class"
    return text


def _moves_one_way(baseline: EvaluationResult, limits: Thresholds) -> bool:
    """Whether predictions follow the exchange, which rung 2 goes by: as many may move to and fro without."""
    exchange = deciding_exchange(baseline.cue_use)
    if exchange is None:  # else it is the edit that is told
        return False
    return judge_effect(exchange.size.value, exchange.size.low, limits.min_effect) == "yes"


def _beside(method: str, told: Flips, other: Flips, limits: Thresholds) -> str:
    fewer = independent_difference(beyond(told), beyond(other))
    text = f"With {method_label(method)}, {of_hundred(other.rate, short=True)} move"
    if other.rate.value >= told.rate.value:
        return f"{text}, not fewer"
    return text + {
        "yes": "",
        "no": ", hardly fewer",
        "insufficient": ", not surely fewer",
    }.get(judge_effect(fewer.value, fewer.low, limits.min_effect), "")


def of_hundred(rate: Estimate, *, short: bool = False) -> str:
    """ "57 of 100"; "57" where the hundred is said already."""
    text = "under 1" if 0 < rate.value < 0.005 else percent(rate.value, 0).removesuffix("%")
    return text if short else f"{text} of 100"
