"""Rungs of the verdict that a team forbids, for the model it ships."""

from __future__ import annotations

from pipeline.core.words import percent, points
from pipeline.records.report import Report
from pipeline.records.verdict import Rung
from pipeline.report.gate.limits import Check
from pipeline.settings.gate import Forbidden, Use
from pipeline.verdict.phrases import percent_interval, points_interval

_WORDS = {
    "available": "a shortcut in the training data",
    "used": "the model uses the cue",
    "harmful": "a group pays for it",
}
_ANSWERS = {
    "yes": "answered yes",
    "partly": "answered partly",
    "no": "answered no",
    "insufficient": "insufficient evidence",
}


def check_rung(report: Report, name: Forbidden, method: str | None, use: Use) -> Check:
    """Whether a forbidden rung does not hold: answered no or, by the estimate alone, not answered yes."""
    rung = find_rung(report, name, method)
    passed = rung.status == "no" if use == "lower" else rung.status != "yes"
    doubt = ""
    if rung.status == "insufficient":
        doubt = (
            ", not shown and not ruled out" if passed else ", not ruled out: doubt counts against the model"
        )
    return Check(
        method=method if name != "available" else None,
        what=f"forbidden: {_WORDS[name]}",
        passed=passed,
        unit="answer",
        answer=rung.status,
        asked="no" if use == "lower" else "not yes",
        reason=f"{_ANSWERS[rung.status]}{doubt}. {rung.evidence}",
        brief=_brief(rung),
    )


def _brief(rung: Rung) -> str:
    """The number that decided, in a few words; empty where none did."""
    found, doubt = rung.estimate, ""
    if rung.status == "insufficient":
        doubt = ": not ruled out"
    if found is not None and rung.rung == "used":
        return f"predictions shift by {points(found.value)} points {points_interval(found)}{doubt}"
    if found is not None and rung.rung == "harmful":
        shown = f"{percent(found.value)} {percent_interval(found)}"
        return f"{shown} right in the group that {'may pay' if doubt else 'pays'}{doubt}"
    return ""


def unanswered_rung(name: Forbidden, method: str, why: str) -> Check:
    """The failed check of a rung that cannot be asked about."""
    return Check(
        method=method,
        what=f"forbidden: {_WORDS[name]}",
        passed=False,
        unit="answer",
        answer="insufficient",
        reason=f"{_ANSWERS['insufficient']}: {why}",
    )


def find_rung(report: Report, name: Forbidden, method: str | None) -> Rung:
    """The report's own answer about the data and the baseline; the same question asked of another method."""
    if name == "available" or method is None:
        return next(rung for rung in report.verdict.rungs if rung.rung == name)
    found = report.verdict.methods[method]
    return found.used if name == "used" else found.harmful
