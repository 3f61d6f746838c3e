"""Rungs of the verdict that a team forbids, for the model it ships."""

from __future__ import annotations

from pipeline.records.evaluation import EvaluationResult
from pipeline.report.gate.limits import Check
from pipeline.report.records import ReportSummary
from pipeline.settings.gate import Forbidden, Use
from pipeline.verdict.askable import withhold
from pipeline.verdict.evidence import Rung
from pipeline.verdict.harmful import judge_harmful
from pipeline.verdict.used import judge_used

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


def check_rung(summary: ReportSummary, name: Forbidden, method: str | None, use: Use) -> Check:
    """Whether a forbidden rung does not hold: answered no or, by the estimate alone, not answered yes."""
    rung = find_rung(summary, name, method)
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
        reason=f"{_ANSWERS[rung.status]}{doubt}. {rung.evidence}",
    )


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


def find_rung(summary: ReportSummary, name: Forbidden, method: str | None) -> Rung:
    """The report's own answer about the data and the baseline; the same question asked of another method."""
    if name == "available" or method in (None, summary.baseline):
        return next(rung for rung in summary.verdict if rung.rung == name)
    evaluation, limits = as_evaluation(summary, method or ""), summary.thresholds
    if name == "used":
        guesses = [guess.found for guess in summary.color.guesses]
        color_only = guesses[0] if guesses and guesses[0].target == "label" else None
        rung = judge_used(evaluation, color_only, limits)
    else:
        rung = judge_harmful(summary.dataset, evaluation, limits=limits)
    return withhold(rung, evaluation, limits)


def as_evaluation(summary: ReportSummary, method: str) -> EvaluationResult:
    """What stage `evaluate` found of a method, as the report holds it."""
    found = summary.methods[method]
    return EvaluationResult(
        provenance=summary.provenance,
        method=method,
        labels_used=found.labels_used,
        seeds=found.seeds,
        selection=found.selection,
        val=found.val,
        test=found.test,
        interventions=found.interventions,
        foreground_sensitivity=found.foreground_sensitivity,
        cue_use=found.cue_use,
        color_agreement=found.color_agreement,
        trained_on_val=found.trained_on_val,
        removal_controls=found.removal_controls,
        class_skill=found.class_skill,
        optimism=found.optimism,
    )
