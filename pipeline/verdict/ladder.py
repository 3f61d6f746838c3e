"""The verdict: the ladder of claims and one headline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from pydantic import Field

from pipeline.core.words import points, quoted, spelled
from pipeline.records.attribution import AttributionResult
from pipeline.records.base import GroupEstimate, Record
from pipeline.records.cause import ExplainedGain, HarmfulLabels
from pipeline.records.color import ColorResult
from pipeline.records.cues import CuesResult
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.hygiene import HygieneResult
from pipeline.records.recommendation import Validation
from pipeline.records.verdict import CueGap, FoundCueUse, Repair, Rung, Status, Thresholds
from pipeline.verdict.cause.caused_by import judge_caused_by
from pipeline.verdict.cue.available import judge_available
from pipeline.verdict.cue.found import judge_found
from pipeline.verdict.cue.unnamed import doubt_harm, settle_use, used_shortcut
from pipeline.verdict.cue.used import cue_words, deciding_exchange, judge_used, mistakes_agree
from pipeline.verdict.evidence.askable import never_predicted_text, why_not_asked, withhold
from pipeline.verdict.evidence.rules import counted_groups, printed
from pipeline.verdict.evidence.small_groups import clearly_worse, uncounted_clause, worse_clause
from pipeline.verdict.fix.choosing import Choice, choose_method
from pipeline.verdict.fix.fixed_by import best_comparison, judge_fixed_by
from pipeline.verdict.fix.remaining import is_open, largest_gap
from pipeline.verdict.fix.repairs import judge_repairs
from pipeline.verdict.harm.harmful import guided_group, harmed_group, judge_harmful
from pipeline.verdict.phrases import accuracy_brief, cue_name, method_label, points_interval

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
    cues: CuesResult | None = None
    untraced: str = ""  # why there is no attribution, where nothing would make one
    limits: Thresholds
    explained: ExplainedGain | None = None  # what leaving images out brings, by wrong labels and the rest
    harmful_labels: HarmfulLabels | None = None  # wrong labels among the most harmful images
    validation: Validation = Validation()
    cue_gaps: list[CueGap] = Field(default_factory=list)
    left_out: dict[str, int] = Field(default_factory=dict)  # method -> training images it does without

    @property
    def worst(self) -> GroupEstimate | None:
        """The baseline's worst group, None where it has too few images."""
        return self.baseline.test.counted_worst if self.baseline else None

    def forming_gap(self, method: str) -> CueGap | None:
        """Of the cue that forms the groups, with a method; None where none forms them."""
        formed_by = self.info.formed_by
        return next((g for g in self.cue_gaps if g.name == formed_by and g.method == method), None)

    @cached_property
    def harmed(self) -> GroupEstimate | None:
        """The group the ladder speaks of: the worst one that the cue misleads, else the worst."""
        return harmed_group(self.info, self.baseline, self.limits)

    @cached_property
    def found_cues(self) -> list[FoundCueUse]:
        """Whether the baseline uses cues that nobody annotated."""
        return judge_found(self.baseline.cues, self.limits) if self.baseline else []

    @cached_property
    def used_shortcut(self) -> FoundCueUse | None:
        """What the second rung is *yes* about where nobody annotated it; None where it is the named cue."""
        if judge_used(self.baseline, self.color.color_only, self.limits).status == "yes":
            return None
        return used_shortcut(self.cues, self.found_cues)

    @cached_property
    def choice(self) -> Choice:
        """What validation images say to use."""
        return choose_method(self.validation, self.limits)

    @cached_property
    def best(self) -> MethodComparison | None:
        """The comparison that rung 5 speaks of: the method that validation chose, else the best on test.

        Where it cannot choose, that some method repairs the harm can still be shown: gains allow for the
        number of methods. None of them is recommended then.
        """
        chosen = next((c for c in self.comparisons if c.method == self.choice.chosen), None)
        baseline = self.baseline.method if self.baseline else None
        return chosen or best_comparison(self.comparisons, baseline, self.limits, self.repairs)

    @cached_property
    def repairs(self) -> dict[str, Repair]:
        """Method -> what its gain over the baseline is worth."""
        if self.baseline is None:
            return {}
        return judge_repairs(self.info, self.baseline, self.others, self.comparisons, self.limits)


def climb_ladder(case: Case) -> list[Rung]:
    """The five rungs in order."""
    harmed, baseline = case.harmed, case.baseline
    gap = case.forming_gap(baseline.method) if baseline else None
    harmful = judge_harmful(case.info, baseline, limits=case.limits, gap=gap)
    shortcut = case.used_shortcut
    if shortcut is not None and shortcut.name != case.info.formed_by:
        harmful = doubt_harm(harmful, shortcut)
    rungs = [
        judge_available(case.info, case.color, case.limits, case.cues),
        settle_use(judge_used(baseline, case.color.color_only, case.limits), case.cues, case.found_cues),
        harmful,
        judge_caused_by(
            case.info,
            case.attribution,
            worst=harmed.index if harmed else None,
            harmful=harmful.status,
            limits=case.limits,
            explained=case.explained,
            labels=case.harmful_labels,
            untraced=case.untraced,
        ),
        judge_fixed_by(
            case.info,
            case.comparisons,
            baseline=baseline.method if baseline else None,
            harmful=harmful.status,
            limits=case.limits,
            repairs=case.repairs,
            best=case.best,
            n_others=len(case.others),
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
    if ladder["harmful"] == "yes":
        gap = _harm_gap(case, baseline, worst)
        text = _harm_headline(case, (model, cue), gap, ladder) + _fix_clause(case, ladder)
        return f"{text}{_other_groups(case, ladder, worst.index)}."
    shown = _spoken_of(baseline, worst, ladder, case.limits)
    text = f"{_no_harm_headline(case, (model, cue), ladder)}: {_shown_gap(case, shown, ladder)}"
    return f"{text}{_other_groups(case, ladder, shown.index)}."


def _harm_gap(case: Case, baseline: EvaluationResult, harmed: GroupEstimate) -> str:
    """The group that pays, its own class where the cue is right, and the average where it lies below."""
    same, average = guided_group(case.info, baseline, harmed, case.limits), baseline.test.average
    rivals = [f"{accuracy_brief(same)} in {quoted(same.name)}"] if same else []
    if harmed.value <= average.value or not rivals:
        rivals.append(f"{accuracy_brief(average)} on average")
    return f"{accuracy_brief(harmed)} right in {quoted(harmed.name)} against {' and '.join(rivals)}"


def _spoken_of(
    baseline: EvaluationResult, harmed: GroupEstimate, ladder: Ladder, limits: Thresholds
) -> GroupEstimate:
    """Whose accuracy stands in a headline without harm: the clearly worse group, where there is one.

    Where harm is open, it is the group that may pay, unless another one alone is clearly worse. A group
    above the average never stands there.
    """
    test = baseline.test
    worse = clearly_worse(test, limits)
    is_candidate = ladder["harmful"] == "insufficient" and harmed.index in {group.index for group in worse}
    if is_candidate or (not worse and harmed.value <= test.average.value):
        return harmed
    lowest = worse[0] if worse else test.worst_group
    return printed(lowest, test, limits)


def _shown_gap(case: Case, shown: GroupEstimate, ladder: Ladder) -> str:
    assert case.baseline is not None
    test, limits = case.baseline.test, case.limits
    average = accuracy_brief(test.average)
    off = [abs(group.value - test.average.value) for group in test.groups]
    is_known = ladder["harmful"] == "no" and len(counted_groups(test)) == len(off)
    if is_known and max(off) < limits.min_effect:
        low = test.worst_group
        least = f"{accuracy_brief(low)} in the lowest, {quoted(low.name)}"
        return f"all are alike at {average}, {least}"
    few = "" if shown.sufficient else ", which has too few images to count,"
    return f"{accuracy_brief(shown)} right in {quoted(shown.name)}{few} against {average} on average"


def _other_groups(case: Case, ladder: Ladder, named: int | None = None) -> str:
    """What the one group of the headline would hide: other groups, and classes that are never named."""
    if case.baseline is None:
        return ""
    test, limits = case.baseline.test, case.limits
    clause = worse_clause(test, limits, named)
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
    n_worse = len(clearly_worse(case.baseline.test, case.limits)) if case.baseline else 0
    some = "one group" if n_worse < 2 else f"{spelled(n_worse)} groups"
    if mistakes_agree(case.baseline, case.limits):
        return f"{model} is worse for {some}, and its mistakes agree with {cue}: {gap}"
    doubt = {
        "no": "is not the reason as far as this audit can see",
        "insufficient": "may or may not be the reason",
    }[ladder["used"]]
    return f"{model} is worse for {some}, but {cue} {doubt}: {gap}"


def _no_harm_headline(case: Case, names: tuple[str, str], ladder: Ladder) -> str:
    model, cue = names
    is_worse = case.baseline is not None and clearly_worse(case.baseline.test, case.limits)
    others = (
        "a group is clearly worse, not shown to be because of it" if is_worse else "no group is clearly worse"
    )
    if ladder["used"] == "yes":
        if ladder["harmful"] == "no":
            exchange = deciding_exchange(case.baseline.cue_use) if case.baseline else None
            exchange = None if case.used_shortcut else exchange  # that is about the named cue
            if is_worse and exchange is not None and exchange.size.value < 0:
                # against the cue: the groups it guides would pay, and rung 3 judges those it misleads
                return f"{model} relies on {cue}, and {others}"
            worse = f"; {others}" if is_worse else ""
            return f"{model} relies on {cue}, but no group clearly pays for it{worse}"
        return f"{model} relies on {cue}, but whether a group pays is not established"
    if "insufficient" in (ladder["harmful"], ladder["used"]):
        return f"Not enough evidence that {model} relies on {cue} at someone's expense"
    if ladder["available"] == "yes":
        return f"The data offer a shortcut, but {model} does not clearly take it and {others}"
    return f"No shortcut found: {model} does not clearly rely on {cue} and {others}"


def name_cue(case: Case) -> str:
    """What was exchanged to test reliance: a found cue that is used, the attribute, part of it, or color."""
    if case.used_shortcut is not None:
        return cue_name(case.used_shortcut)
    if case.baseline is not None and case.baseline.cue_use is not None:
        return cue_words(case.baseline.cue_use)
    attribute = case.info.attributes[0] if case.info.attributes else None
    if attribute is None or attribute.origin != "annotated":
        return "color"
    return f"the attribute {quoted(attribute.name.replace('_', ' '))}"


def _fix_clause(case: Case, ladder: Ladder) -> str:
    best = case.best
    if best is None:
        return ""
    name, repair = method_label(best.method), case.repairs.get(best.method)
    costs = repair.costs if repair else ""
    if ladder["fixed_by"] in ("yes", "partly"):
        gain = points(best.gain.value).lstrip("+")
        interval = points_interval(best.gain)
        but = f", but {costs}" if costs else ""
        left = repair.left if repair else None
        if left is None or not is_open(left, case.limits):
            return f"; {name} raises that group by {gain} points {interval}{but}"
        widest = largest_gap(left)
        rest = f"{points(widest.value).lstrip('+')} {points_interval(widest)}"
        return f"; {name} raises it by {gain} points {interval} and leaves {rest}{but}"
    because = f": {costs}" if costs else ""
    if ladder["fixed_by"] == "no":
        return f"; {name} does not fix it{because}"
    return f"; whether {name} fixes it is not established{because}"
