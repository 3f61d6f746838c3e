"""Rung 2: does the model use the cue."""

from __future__ import annotations

from pipeline.core.words import count, number, percent, points, quoted
from pipeline.records.base import Estimate
from pipeline.records.color import Predictability
from pipeline.records.evaluation import CueExchange, CueUse, EvaluationResult
from pipeline.records.verdict import Rung, Status, Thresholds
from pipeline.statistics.intervals import clip_difference, widen
from pipeline.verdict.cue.changes import printed_overall
from pipeline.verdict.evidence.rules import judge_effect
from pipeline.verdict.phrases import intervention_label, method_label, points_phrase

CARRIES_ENOUGH = 0.8  # of the cue: an exchange that carries less cannot rule its use out
PLAIN_USE = 2.0  # times the least effect that counts: where so much is not excluded, no answer is a no
QUESTION = "Does the model use it?"
Answer = tuple[Status, str]


def judge_used(
    baseline: EvaluationResult | None, color_only: Predictability | None, limits: Thresholds
) -> Rung:
    """Do predictions go where the cue points when the cue is exchanged and nothing else.

    *Yes* needs four things: the cue tells the class in training (else there is nothing to use); both
    directions of an exchange shift predictions towards the donor's class beyond an exchange that keeps
    the value; the shift is of the size that matters over its whole interval; and images as they are do
    not say otherwise. What one direction alone shows, or no real image, is the exchange's own strangeness.
    A model that goes where the cue points away from (over-corrected, say) uses it as well: the same four
    conditions are asked of the shift with its sign turned.
    """
    found = baseline.cue_use if baseline else None
    if baseline is None or found is None:
        text = "No exchange of a cue between images was made, so reliance on it is not known."
        return Rung(
            rung="used",
            question=QUESTION,
            status="insufficient",
            evidence=text,
            was_run=baseline is not None,
        )
    if baseline.only_predictions:
        return Rung(
            rung="used",
            question=QUESTION,
            status="insufficient",
            evidence=_of_predictions(baseline, found, limits),
            was_run=False,
        )
    exchange = deciding_exchange(found)
    status, reason = _answer(found, exchange, color_only, limits)
    text = "" if exchange is None else f"{_exchange_text(baseline, found, exchange, limits)} "
    return Rung(
        rung="used",
        question=QUESTION,
        status=status,
        evidence=text + reason + _fragility_text(baseline, found, status, limits),
        estimate=exchange and _widened(exchange.size, found, limits),
        unit="difference" if exchange else None,
    )


def mistakes_agree(baseline: EvaluationResult | None, limits: Thresholds) -> bool:
    """Whether a table's predictions clearly go where the cue points, beyond what is right."""
    found = baseline.cue_use if baseline is not None and baseline.only_predictions else None
    return found is not None and judge_natural(found, 1, limits) == "yes"


def _of_predictions(baseline: EvaluationResult, found: CueUse, limits: Thresholds) -> str:
    """Where there is no network: mistakes may agree with the cue, which is less than using it."""
    text = (
        f"{method_label(baseline.method)} is a table of predictions: no changed image can be shown to a "
        "network, so that use is not tested. "
    )
    agrees, natural = judge_natural(found, 1, limits), found.natural
    if natural is None or agrees == "insufficient":
        return text + "Whether its mistakes agree with the cue, too few images say."
    size = f"{points_phrase(natural)} more predictions go where {cue_words(found)} points"
    if mistakes_agree(baseline, limits):
        return f"{text}Its mistakes agree with the cue: on images as they are {size}."
    return f"{text}Its mistakes do not clearly agree with the cue: on images as they are {size}."


def deciding_exchange(found: CueUse | None) -> CueExchange | None:
    """Of the exchanges that carry the cue the one that shifts predictions most, either way."""
    return max(found.exchanges, key=lambda e: abs(e.size.value), default=None) if found else None


def carried_share(found: CueUse, exchange: CueExchange) -> float:
    """How much of the cue an exchange carries; 0 where it is not known."""
    share = next((c.share for c in found.carried if c.name == exchange.name), None)
    return share.value if share else 0.0


def cue_words(found: CueUse) -> str:
    """What was exchanged, in words: the attribute, or what of it the exchange carries."""
    if not found.is_attribute:
        return "color"
    exchange = deciding_exchange(found)
    part = _PARTS.get(exchange.name, "") if exchange else ""
    return f"{part}the attribute {quoted(found.cue.replace('_', ' '))}"


_PARTS = {
    "color_exchange": "the color that goes with ",
    "frame_exchange": "the border that goes with ",
    "rim_exchange": "the object's rim that goes with ",
    "texture_exchange": "the texture that goes with ",
    "look_exchange": "the color and texture that go with ",
}


def _answer(
    found: CueUse, exchange: CueExchange | None, color_only: Predictability | None, limits: Thresholds
) -> Answer:
    sign = -1 if exchange is not None and exchange.size.value <= -limits.min_effect else 1
    available, natural = _available(found, color_only, limits), judge_natural(found, sign, limits)
    shifted = judge_shift(found, exchange, sign, limits)
    if available[0] == "no":
        return _without_cue(available[1], is_followed=shifted == natural == "yes")
    if exchange is None:
        return "insufficient", uncarried_text(found)
    if exchange.n_images < limits.min_test:
        return "insufficient", f"At least {count(limits.min_test)} images are needed."
    if shifted == "yes":
        return confirmed(found, exchange, available, natural, limits)
    if shifted == "insufficient":
        return "insufficient", "Plain use, chance and a trace of the cue cannot be told apart."
    return denied(found, exchange, natural, limits)


def _without_cue(why: str, *, is_followed: bool) -> Answer:
    if is_followed:
        return "insufficient", f"But {why}, so training cannot have taught it as a shortcut."
    return "no", f"{why[0].upper()}{why[1:]}: there is nothing to use."


def denied(found: CueUse, exchange: CueExchange, natural: Status | None, limits: Thresholds) -> Answer:
    """A small shift is a no where the exchange carries the cue and real images agree."""
    if "yes" in (natural, judge_natural(found, -1, limits)):
        return "insufficient", (
            "Yet images as they are get another answer where their value differs "
            f"({_natural_text(found)}): something that goes with the cue matters, and the exchange misses it."
        )
    most = size_either_way(_widened(exchange.size, found, limits)).high
    if most >= PLAIN_USE * limits.min_effect:
        return "insufficient", f"But a shift of {points(most).lstrip('+')} points is not excluded."
    share = carried_share(found, exchange)
    if share < CARRIES_ENOUGH:
        seen = percent(share, 0)
        return "insufficient", f"The exchange carries only {seen} of what simple statistics see of the cue."
    return "no", "That is less than matters."


def confirmed(
    found: CueUse, exchange: CueExchange, available: Answer, natural: Status | None, limits: Thresholds
) -> Answer:
    """What speaks against a shift in both directions: no association, no real image, or no balance."""
    if available[0] == "insufficient":
        return "insufficient", f"But {available[1]}."
    if natural is not None and natural != "yes":
        return _unconfirmed(found, natural, limits)
    if natural is None and not exchange.is_balanced:
        return (
            "insufficient",
            "But too few images have the other class's value to tell use from lost accuracy.",
        )
    real = f" Images as they are agree: {_natural_text(found)}." if found.natural else ""
    if exchange.size.value < 0:
        return "yes", (
            "Both directions go against the cue, away from the class that goes with the donor's value in "
            f"training: the model uses it the other way round.{real}"
        )
    return "yes", f"Both directions go where the cue points.{real}"


def _unconfirmed(found: CueUse, natural: Status, limits: Thresholds) -> Answer:
    """A shift that images as they are do not show."""
    assert found.natural is not None
    text = _natural_text(found)
    if natural == "insufficient":
        return "insufficient", f"But images as they are neither confirm nor exclude it ({text})."
    if max(-found.natural.low, found.natural.high) >= limits.min_effect:
        return "insufficient", f"But images as they are are not shown to go the same way ({text})."
    return "no", (
        f"But images as they are get the same answer whatever their value ({text}): the exchanged images "
        "are strange to the model, and that is fragility, not use."
    )


def _available(found: CueUse, color_only: Predictability | None, limits: Thresholds) -> Answer:
    """Whether the cue that was exchanged tells the class in training."""
    link = found.association
    if link is not None:
        least = (
            f"Cramér's V = {number(link.cramers_v)}, {number(limits.min_cramers_v)} is the least that counts"
        )
        text = f"{quoted(found.cue)} hardly tells the class in training ({least})"
        if link.cramers_v < limits.min_cramers_v:
            return "no", text
        is_sure = link.n >= limits.min_test and link.p_value < limits.alpha
        return (
            "yes" if is_sure else "insufficient"
        ), f"whether {quoted(found.cue)} tells the class is not sure"
    if color_only is None:
        return "insufficient", "what color alone tells of the class is not known"
    text = (
        f"color alone hardly tells the class in training (kappa {number(color_only.kappa)}, "
        f"{number(limits.min_kappa)} is the least that counts)"
    )
    if color_only.kappa < limits.min_kappa:
        return "no", text
    is_sure = color_only.n >= limits.min_test and color_only.p_value < limits.alpha and color_only.low > 0
    return ("yes" if is_sure else "insufficient"), "whether color tells the class in training is not sure"


def judge_shift(found: CueUse, exchange: CueExchange | None, sign: int, limits: Thresholds) -> Status | None:
    """Both directions, and a size whose whole interval matters: a trace of a cue is not plain use of it."""
    if exchange is None:
        return None
    size = _widened(_turned(exchange.size, sign), found, limits)
    if size.value < limits.min_effect:
        return "no"
    lows = [_widened(_turned(part, sign), found, limits).low for part in (exchange.up, exchange.down)]
    return "yes" if min(lows) > 0 and size.low >= limits.min_effect else "insufficient"


def judge_natural(found: CueUse, sign: int, limits: Thresholds) -> Status | None:
    if found.natural is None:
        return None
    natural = _turned(found.natural, sign)
    return judge_effect(natural.value, natural.low, limits.min_effect)


def _turned(estimate: Estimate, sign: int) -> Estimate:
    return -estimate if sign < 0 else estimate


def size_either_way(estimate: Estimate) -> Estimate:
    """How large a shift is, whichever way: the upper end is the one further from 0."""
    low, high = sorted((abs(estimate.low), abs(estimate.high)))
    least = low if estimate.low * estimate.high > 0 else 0.0
    return estimate.model_copy(update={"value": abs(estimate.value), "low": least, "high": high})


def _widened(estimate: Estimate, found: CueUse, limits: Thresholds) -> Estimate:
    wide = widen(estimate, n_comparisons=len(found.exchanges), alpha=limits.alpha)
    return clip_difference(wide)


def _exchange_text(
    baseline: EvaluationResult, found: CueUse, exchange: CueExchange, limits: Thresholds
) -> str:
    up, down, size = (_widened(part, found, limits) for part in (exchange.up, exchange.down, exchange.size))
    first, last = (
        (quoted(found.values[0]), quoted(found.values[1]))
        if len(found.values) == 2
        else ("earlier", "later values")
    )
    more = f" Of {count(len(found.exchanges))} exchanges it shifts most." if len(found.exchanges) > 1 else ""
    return (
        f"{intervention_label(exchange.name)} with an image of another {quoted(found.cue)} shifts "
        f"{method_label(baseline.method)}'s predictions towards the donor's class by {points_phrase(size)} "
        f"beyond an exchange with the same one ({first} to {last}: {points_phrase(up)}; back: "
        f"{points_phrase(down)}).{more}"
    )


def _natural_text(found: CueUse) -> str:
    assert found.natural is not None
    return f"{points_phrase(found.natural)} within a class"


def uncarried_text(found: CueUse) -> str:
    """Why there is no exchange that decides."""
    known = [c.share for c in found.carried if c.share is not None]
    if not found.carried:
        return f"There are too few images to exchange {quoted(found.cue)} between."
    if not known:
        return (
            f"No exchange can be shown to carry {quoted(found.cue)}: simple statistics of color and detail "
            "do not tell its values apart."
        )
    best = percent(max(share.value for share in known), 0)
    if any(exchange.is_of_the_cue for exchange in found.carried):
        return (
            f"An exchange carries {quoted(found.cue)} ({best} of the way from value to value), but in "
            "training no two of its values go with different classes: there is nothing to follow."
        )
    return (
        f"No exchange carries {quoted(found.cue)}: the best of {count(len(known))} goes {best} of the way "
        "from one value to the other. Masks would allow an exchange of backgrounds."
    )


def _fragility_text(baseline: EvaluationResult, found: CueUse, status: Status, limits: Thresholds) -> str:
    """The change of color that costs most, said to be what it is: it may only make images strange."""
    colors = [i for i in baseline.interventions if i.family == "color"]
    worst = min(colors, key=lambda i: i.accuracy_change.value, default=None)
    if worst is None or status == "yes":
        return ""
    wide = printed_overall(baseline, limits)[worst.name]
    if -wide.value < limits.min_effect or wide.high >= 0:
        return ""
    return (
        f" {intervention_label(worst.name)} changes accuracy by {points_phrase(wide)}: the model is fragile "
        "to it, which does not say that it uses color as a shortcut."
    )
