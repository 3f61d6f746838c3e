"""Rung 2 for cues that nobody annotated: does the model use them, each by its own exchange."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import count, percent, quoted
from pipeline.records.evaluation import Carried, CueExchange, CueUse, CueUseFound
from pipeline.records.verdict import FoundCueUse, Thresholds
from pipeline.verdict.cue.used import Answer, confirmed, denied, judge_natural, judge_shift
from pipeline.verdict.phrases import cue_name, points_phrase

SURELY_OTHERS = 1.0  # sum of both directions' lower ends: losing accuracy alone cannot move so many


def judge_found(cues: Sequence[CueUseFound], limits: Thresholds) -> list[FoundCueUse]:
    """Yes, no or too little evidence of each, with the sentence that says so."""
    return [_judge(cue, limits) for cue in cues]


def _judge(found: CueUseFound, limits: Thresholds) -> FoundCueUse:
    status, reason = _answer(found, limits)
    exchange = found.exchange
    text = reason
    if exchange is not None:
        text = (
            f"Another image's {quoted(found.title)} shifts predictions towards the class that it names by "
            f"{points_phrase(exchange.size)} beyond an exchange that keeps what it names. {reason}"
        )
    if status == "yes" and found.may_be_content:
        text += " It may be what the class looks like, so that this alone is no shortcut."
    return FoundCueUse(
        name=found.name,
        title=found.title,
        part=found.part,
        used=status,
        is_shortcut=status == "yes" and not found.may_be_content,
        shift=exchange and exchange.size,
        sentence=text,
    )


def _answer(found: CueUseFound, limits: Thresholds) -> Answer:
    """By the rule for the named cue, where the exchange carries this one."""
    exchange, name = found.exchange, cue_name(found)
    if found.why_not:
        return "insufficient", f"{name} was not exchanged: {found.why_not}."
    if found.carried is None:
        return (
            "insufficient",
            f"Simple statistics of pixels do not show {name}: no exchange can be checked.",
        )
    if not found.is_carried:
        seen = percent(max(found.carried.value, 0.0), 0)
        return "insufficient", f"The exchange of {name} goes only {seen} of the way to the donor's value."
    if exchange is None:
        return "insufficient", f"{name} can be exchanged in one direction only."
    if found.n_images < limits.min_test:
        return "insufficient", f"At least {count(limits.min_test)} images are needed."
    return _by_shift(found, exchange, limits)


def _by_shift(found: CueUseFound, exchange: CueExchange, limits: Thresholds) -> Answer:
    use = _as_use(found, exchange)
    sign = -1 if exchange.size.value <= -limits.min_effect else 1
    shifted, natural = judge_shift(use, exchange, sign, limits), judge_natural(use, sign, limits)
    if shifted == "yes":
        if natural is None and not exchange.is_balanced and _moves_most(exchange):
            return "yes", "Both directions go where the cue points, further than lost accuracy could."
        return confirmed(use, exchange, ("yes", ""), natural, limits)
    if shifted == "insufficient":
        return "insufficient", "Plain use, chance and a trace of the cue cannot be told apart."
    answer = denied(use, exchange, natural, limits)
    if answer[0] == "no" and exchange.size.high >= 2 * limits.min_effect:
        return "insufficient", "Too few images to exclude that it matters."
    return answer


def _moves_most(exchange: CueExchange) -> bool:
    """More predictions follow in both directions together than a model can lose to a class or to chance."""
    return exchange.up.low + exchange.down.low > SURELY_OTHERS


def _as_use(found: CueUseFound, exchange: CueExchange) -> CueUse:
    """As the rule for the named cue reads it; the shifts' intervals allow for all found cues already."""
    return CueUse(
        cue=found.title,
        is_attribute=False,
        values=[],
        association=None,
        natural=found.natural,
        carried=[Carried(name=exchange.name, share=found.carried)],
        exchanges=[exchange],
    )
