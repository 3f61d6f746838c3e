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
from pipeline.report.askable import never_predicted_text, why_not_asked, withhold
from pipeline.report.evidence import Rung, Status, Thresholds, worst_enough_group
from pipeline.report.remaining import Remaining, is_open, largest_gap, measure_remaining, remaining_text
from pipeline.report.rung_harmful import guided_group, harmed_group, judge_harmful
from pipeline.report.rung_used import cue_words, judge_used
from pipeline.report.rungs_cause import best_comparison, judge_caused_by, judge_fixed_by
from pipeline.report.rungs_cue import judge_available
from pipeline.report.small_groups import bad_clause, clearly_worse, uncounted_clause
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
    comparisons: list[MethodComparison]  # of methods that are better than a constant
    hygiene: HygieneResult | None
    limits: Thresholds

    @property
    def worst(self) -> GroupEstimate | None:
        """The baseline's worst group with enough images; None where it lies above the average.

        Then smaller groups pull the average down, and the best of the rest is not the worst.
        """
        found = worst_enough_group(self.baseline.test, self.limits) if self.baseline else None
        return found if found and self.baseline and found.value <= self.baseline.test.average.value else None

    @property
    def harmed(self) -> GroupEstimate | None:
        """The group the ladder speaks of: the worst one that the cue misleads, else the worst."""
        return harmed_group(self.info, self.baseline, self.limits)

    @property
    def best(self) -> MethodComparison | None:
        """The comparison that rung 5 speaks of."""
        return best_comparison(self.comparisons, self.baseline.method if self.baseline else None, self.limits)

    @property
    def left(self) -> Remaining | None:
        """What the best method leaves of the gap."""
        best = self.best
        other = next((e for e in self.others if best and e.method == best.method), None)
        if best is None or other is None or self.baseline is None:
            return None
        return measure_remaining(self.info, self.baseline, other, best, self.limits)


def climb_ladder(case: Case) -> list[Rung]:
    """The five rungs in order."""
    harmed, baseline = case.harmed, case.baseline
    harmful = judge_harmful(case.info, baseline, worst=case.worst, limits=case.limits)
    rungs = [
        judge_available(case.info, case.color, case.limits),
        judge_used(baseline, case.color.color_only, case.limits),
        harmful,
        judge_caused_by(
            case.info,
            case.attribution,
            worst=harmed.name if harmed else None,
            harmful=harmful.status,
            limits=case.limits,
        ),
        _judge_what_is_left(
            judge_fixed_by(
                case.info,
                case.comparisons,
                baseline=baseline.method if baseline else None,
                harmful=harmful.status,
                limits=case.limits,
            ),
            case,
        ),
    ]
    return [withhold(rung, baseline, case.limits) for rung in rungs]


def _judge_what_is_left(rung: Rung, case: Case) -> Rung:
    """A clear gain is a repair only where it closes the gap."""
    left = case.left
    if rung.status != "yes" or left is None:
        return rung
    text = f"{rung.evidence} What is left of the gap: {remaining_text(left)}."
    status: Status = "partly" if is_open(left, case.limits) else "yes"
    return rung.model_copy(update={"status": status, "evidence": text})


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
        least = (
            f" It is right on {accuracy_brief(case.worst)} of {quoted(case.worst.name)}."
            if case.worst
            else ""
        )
        return reason + least
    model = method_label(baseline.method)
    ladder = statuses(rungs)
    if worst is None:
        return (
            f"Too few images per group to tell whether {model} relies on {cue} at someone's expense"
            f"{_other_groups(case, ladder)}."
        )
    same = guided_group(case.info, baseline, worst, case.limits) if ladder["harmful"] == "yes" else None
    there = f"{accuracy_brief(same)} in {quoted(same.name)} and " if same else ""
    gap = (
        f"{accuracy_brief(worst)} right in {quoted(worst.name)} "
        f"against {there}{accuracy_brief(baseline.test.average)} on average"
    )
    if ladder["harmful"] == "yes":
        text = _harm_headline(case, (model, cue), gap, ladder) + _fix_clause(case, ladder)
    else:
        text = f"{_no_harm_headline(case, (model, cue), ladder)}: {gap}"
    return f"{text}{_other_groups(case, ladder)}."


def _other_groups(case: Case, ladder: Ladder) -> str:
    """What the one group of the headline would hide: small groups, and classes that are never named."""
    if case.baseline is None:
        return ""
    test, limits = case.baseline.test, case.limits
    clause = bad_clause(test, limits)
    if not clause and ladder["harmful"] != "yes":
        clause = uncounted_clause(case.info, test, limits)
    unnamed = never_predicted_text(case.baseline).rstrip(".")
    return clause + (f"; {unnamed}" if unnamed else "")


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


def _no_harm_headline(case: Case, names: tuple[str, str], ladder: Ladder) -> str:
    model, cue = names
    is_worse = case.baseline is not None and clearly_worse(case.baseline.test, case.limits)
    others = (
        "a group is clearly worse, not shown to be because of it" if is_worse else "no group is clearly worse"
    )
    if ladder["used"] == "yes":
        if ladder["harmful"] == "no":
            return f"{model} relies on {cue}, but no group clearly pays for it"
        return f"{model} relies on {cue}, but whether a group pays is not established"
    if "insufficient" in (ladder["harmful"], ladder["used"]):
        return f"Not enough evidence that {model} relies on {cue} at someone's expense"
    if ladder["available"] == "yes":
        return f"The data offer a shortcut, but {model} does not clearly take it and {others}"
    return f"No shortcut found: {model} does not clearly rely on {cue} and {others}"


def name_cue(case: Case) -> str:
    """What was exchanged to test reliance: the attribute, what of it an exchange carries, or color."""
    if case.baseline is not None and case.baseline.cue_use is not None:
        return cue_words(case.baseline.cue_use)
    attribute = case.info.attributes[0] if case.info.attributes else None
    if attribute is None or attribute.origin != "annotated":
        return "color"
    return f"the attribute {quoted(attribute.name.replace('_', ' '))}"


def _fix_clause(case: Case, ladder: Ladder) -> str:
    best, left = case.best, case.left
    if best is None:
        return ""
    name = method_label(best.method)
    if ladder["fixed_by"] in ("yes", "partly"):
        gain = points(best.gain.value).lstrip("+")
        interval = points_interval(best.gain)
        if ladder["fixed_by"] == "yes" or left is None:
            return f"; {name} raises that group by {gain} points {interval}"
        widest = largest_gap(left)
        rest = f"{points(widest.value).lstrip('+')} {points_interval(widest)}"
        return f"; {name} raises it by {gain} points {interval} and leaves {rest}"
    if ladder["fixed_by"] == "no":
        return f"; {name} does not fix it"
    return f"; whether {name} fixes it is not established"
