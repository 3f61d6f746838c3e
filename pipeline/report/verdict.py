"""The verdict: the ladder of claims and one headline."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.results import (
    AttributionResult,
    ColorResult,
    DatasetInfo,
    EvaluationResult,
    GroupEstimate,
    HygieneResult,
    MethodComparison,
    Record,
)
from pipeline.report.askable import why_not_asked, withhold
from pipeline.report.evidence import Rung, Status, Thresholds, worst_enough_group
from pipeline.report.rung_harmful import guided_group, harmed_group, judge_harmful
from pipeline.report.rungs_cause import best_comparison, judge_caused_by, judge_fixed_by
from pipeline.report.rungs_cue import deciding_intervention, judge_available, judge_used
from pipeline.report.wording import (
    accuracy_brief,
    method_label,
    points,
    points_interval,
    quoted,
)

Ladder = dict[str, Status]


class Case(Record):
    """Everything the verdict is read from; missing parts are None or empty."""

    info: DatasetInfo
    color: ColorResult
    baseline: EvaluationResult | None
    others: list[EvaluationResult]
    attribution: AttributionResult | None  # of the baseline
    comparisons: list[MethodComparison]
    hygiene: HygieneResult | None
    limits: Thresholds

    @property
    def worst(self) -> GroupEstimate | None:
        """The baseline's worst group with enough images."""
        return worst_enough_group(self.baseline.test, self.limits) if self.baseline else None

    @property
    def harmed(self) -> GroupEstimate | None:
        """The group the ladder speaks of: the worst one that the cue misleads, else the worst."""
        return harmed_group(self.info, self.baseline, self.limits)


def climb_ladder(case: Case) -> list[Rung]:
    """The five rungs in order."""
    harmed, baseline = case.harmed, case.baseline
    harmful = judge_harmful(case.info, baseline, worst=case.worst, limits=case.limits)
    rungs = [
        judge_available(case.info, case.color, case.limits),
        judge_used(baseline, case.limits),
        harmful,
        judge_caused_by(
            case.info,
            case.attribution,
            worst=harmed.name if harmed else None,
            harmful=harmful.status,
            limits=case.limits,
        ),
        judge_fixed_by(
            case.info,
            case.comparisons,
            baseline=baseline.method if baseline else None,
            harmful=harmful.status,
            limits=case.limits,
        ),
    ]
    return [withhold(rung, baseline, case.limits) for rung in rungs]


def statuses(rungs: Sequence[Rung]) -> Ladder:
    """Rung name -> status."""
    return {rung.rung: rung.status for rung in rungs}


def write_headline(case: Case, rungs: Sequence[Rung]) -> str:
    """The whole report in one sentence."""
    baseline, worst, cue = case.baseline, case.harmed, name_cue(case)
    if baseline is None:
        return "No model was evaluated, so this report describes the data only."
    reason = why_not_asked(baseline, case.limits)
    if reason is not None:
        return reason
    model = method_label(baseline.method)
    if worst is None:
        return f"Too few images per group to tell whether {model} relies on {cue} at someone's expense."
    ladder = statuses(rungs)
    same = guided_group(case.info, baseline, worst, case.limits) if ladder["harmful"] == "yes" else None
    there = f"{accuracy_brief(same)} in {quoted(same.name)} and " if same else ""
    gap = (
        f"{accuracy_brief(worst)} right in {quoted(worst.name)} "
        f"against {there}{accuracy_brief(baseline.test.average)} on average"
    )
    if ladder["harmful"] == "yes":
        return _harm_headline(case, (model, cue), gap, ladder) + _fix_clause(case, ladder) + "."
    return _no_harm_headline(model, cue, ladder) + f": {gap}."


def _harm_headline(case: Case, names: tuple[str, str], gap: str, ladder: Ladder) -> str:
    """What was changed and what forms the groups are the same cue only where the attribute was swapped."""
    model, cue = names
    attribute = case.info.attributes[0].name.replace("_", " ")
    if ladder["used"] == "yes" and cue == "color":
        return (
            f"{model} relies on color, and does worse where {quoted(attribute)} points the wrong way: {gap}"
        )
    if ladder["used"] == "yes":
        return f"{model} relies on {cue} and a group pays for it: {gap}"
    doubt = {
        "no": "is not the reason as far as this audit can see",
        "insufficient": "may or may not be the reason",
    }[ladder["used"]]
    return f"{model} is worse for one group, but {cue} {doubt}: {gap}"


def _no_harm_headline(model: str, cue: str, ladder: Ladder) -> str:
    if ladder["used"] == "yes":
        if ladder["harmful"] == "no":
            return f"{model} relies on {cue}, but no group clearly pays for it"
        return f"{model} relies on {cue}, but whether a group pays is not established"
    if "insufficient" in (ladder["harmful"], ladder["used"]):
        return f"Not enough evidence that {model} relies on {cue} at someone's expense"
    if ladder["available"] == "yes":
        return (
            f"The data offer a shortcut, but {model} does not clearly take it and no group is clearly worse"
        )
    return f"No shortcut found: {model} does not clearly rely on {cue} and no group is clearly worse"


def name_cue(case: Case) -> str:
    """What was changed to test reliance: the attribute where it was swapped, else color.

    Removing color says nothing about an attribute such as the place a picture was taken.
    """
    intervention = deciding_intervention(case.baseline)
    attribute = case.info.attributes[0] if case.info.attributes else None
    was_swapped = intervention is not None and intervention.flip_rate_control is not None
    if attribute is None or attribute.origin == "none" or (intervention and not was_swapped):
        return "color"
    kind = "derived attribute" if attribute.origin == "derived" else "attribute"
    return f"the {kind} {quoted(attribute.name.replace('_', ' '))}"


def _fix_clause(case: Case, ladder: Ladder) -> str:
    best = best_comparison(case.comparisons, case.baseline.method if case.baseline else None, case.limits)
    if best is None:
        return ""
    name = method_label(best.method)
    if ladder["fixed_by"] == "yes":
        gain = points(best.gain.value).lstrip("+")
        return f"; {name} raises that group by {gain} points {points_interval(best.gain)}"
    if ladder["fixed_by"] == "no":
        return f"; {name} does not fix it"
    return f"; whether {name} fixes it is not established"
