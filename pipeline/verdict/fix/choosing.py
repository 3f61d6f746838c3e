"""Which method validation images choose: the cheapest of those that they do not tell from the best one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.words import join_names, percent, points
from pipeline.records.recommendation import Candidate, Validation
from pipeline.records.verdict import Thresholds
from pipeline.verdict.evidence.rules import judge_effect
from pipeline.verdict.fix.needs import NEED_WORDS, by_price
from pipeline.verdict.phrases import method_label


class Choice(NamedTuple):
    """What validation says to do, before any test image has been asked."""

    chosen: str | None  # None: it cannot choose
    tied: list[str]  # the chosen one first
    reason: str
    is_worth_it: bool = True  # False: the best one does not lift the lowest group by the size that matters


def choose_method(validation: Validation, limits: Thresholds) -> Choice:
    """The method to report on; a single one needs no choice.

    A tie is what is not shown to be worse than the best one observed, by the rule of every effect. Within it
    price decides, but only among those that are observed within the size that matters: an interval that is
    wide enough to hold everything makes nobody as good as the best. Price is first whose groups must be
    known, then how many other groups clearly lose, then the lowest group.
    """
    candidates = validation.candidates
    judged = [c for c in candidates if not c.why_not]
    if len(candidates) == 1:
        only = candidates[0].method
        return Choice(only, [only], f"{method_label(only)} is the only other method.")
    if not judged:
        return Choice(None, [], _no_choice(candidates))
    leader, *rest = judged
    tied = [leader, *(c for c in rest if _is_tied(c, limits))]
    near = [c for c in tied if c.behind is None or c.behind.value < limits.min_effect]
    chosen = min(near, key=lambda c: (by_price(c.needs), c.n_falling, -c.worst.value if c.worst else 0.0))
    names = [chosen.method, *(c.method for c in tied if c is not chosen)]
    left_out = _left_out([c for c in candidates if c.why_not])
    if validation.lead is not None and validation.lead.value < limits.min_effect:
        size = points(limits.min_effect, 0).lstrip("+")
        reason = f"On validation images no method lifts the lowest group by {size} points.{left_out}"
        return Choice(leader.method, [c.method for c in tied], reason, is_worth_it=False)
    return Choice(chosen.method, names, _reason(chosen, tied) + left_out)


def _is_tied(candidate: Candidate, limits: Thresholds) -> bool:
    behind = candidate.behind
    return behind is not None and judge_effect(behind.value, behind.low, limits.min_effect) != "yes"


def _reason(chosen: Candidate, tied: Sequence[Candidate]) -> str:
    name = method_label(chosen.method)
    lowest = percent(chosen.worst.value) if chosen.worst else ""
    others = [c for c in tied if c is not chosen]
    if not others:
        return f"{name} does best on validation images: its lowest group is clearly the highest, {lowest}."
    equal = f"Validation images do not tell {_names([chosen, *others])} apart"
    dearer = [c for c in others if by_price(c.needs) > by_price(chosen.needs)]
    if dearer:
        dearest = max(dearer, key=lambda c: by_price(c.needs)).needs
        most = [c for c in dearer if c.needs == dearest]
        verb = "needs" if len(most) == 1 else "need"
        return f"{equal}; {_names(most)} {verb} {NEED_WORDS[dearest]}, {name} does not."
    if any(c.n_falling > chosen.n_falling for c in others):
        return f"{equal}; {name} takes from the fewest other groups."
    return f"{equal}; the lowest group of {name} is the highest, with {lowest}."


def _no_choice(candidates: Sequence[Candidate]) -> str:
    if not candidates:
        return "No other method was trained."
    reasons = list(dict.fromkeys(c.why_not for c in candidates))
    if len(reasons) == 1 and len(candidates) > 1:
        return f"Validation images cannot choose a method: {reasons[0]}."
    return "Validation images cannot choose a method." + _left_out(candidates)


def _left_out(candidates: Sequence[Candidate]) -> str:
    """ " DFR is left out: validation images trained it."."""
    return "".join(f" {method_label(c.method)} is left out: {c.why_not}." for c in candidates)


def _names(candidates: Sequence[Candidate]) -> str:
    return join_names([method_label(c.method) for c in candidates])
