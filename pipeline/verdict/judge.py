"""From what the stages found to everything that is decided about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline.artifacts.results import Results
from pipeline.records.attribution import AttributionResult
from pipeline.records.base import Estimate, Provenance
from pipeline.records.cause import AttributionVerdict, ExplainedGain, HarmfulLabels
from pipeline.records.data import SourceCounts
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.gradcam import MapAgreement
from pipeline.records.recommendation import Validation
from pipeline.records.verdict import CueGap, MethodVerdict, Rung, Shift, Thresholds, Verdict
from pipeline.statistics.accuracy.worst_group import clear_ceiling
from pipeline.statistics.intervals import share_estimate
from pipeline.verdict.advice.steps import list_next_steps
from pipeline.verdict.brief import write_brief
from pipeline.verdict.cause.harmful_labels import count_wrong_labels
from pipeline.verdict.cause.trust import (
    describe_agreement,
    describe_rule,
    describe_sizes,
    describe_suspects,
    judge_lds,
    judge_share,
)
from pipeline.verdict.cue.changes import printed_changes, printed_overall
from pipeline.verdict.cue.edits import judge_edits
from pipeline.verdict.cue.found import judge_found
from pipeline.verdict.cue.heat import judge_heat
from pipeline.verdict.cue.reliance import color_reliance, compare_reliance, describe_reliance
from pipeline.verdict.cue.unnamed import settle_use
from pipeline.verdict.cue.used import deciding_exchange, judge_used, size_either_way, uncarried_text
from pipeline.verdict.evidence.askable import never_predicted_text, why_no_better, why_not_asked, withhold
from pipeline.verdict.evidence.rules import judge_effect, printed_groups, worst_enough_group
from pipeline.verdict.evidence.small_groups import clearly_worse, uncounted_groups
from pipeline.verdict.fix.needs import groups_needed
from pipeline.verdict.fix.recommending import recommend
from pipeline.verdict.fix.validating import unasked
from pipeline.verdict.harm.harmful import judge_harmful
from pipeline.verdict.ladder import Case, climb_ladder, statuses, write_headline
from pipeline.verdict.learning import summarize_curves, summarize_removal
from pipeline.verdict.learning_dynamics import judge_dynamics

Explained = tuple[Mapping[str, ExplainedGain], Mapping[str, str]]
NOT_EXPLAINED: Explained = ({}, {})


def judge(
    found: Results,
    limits: Thresholds,
    provenance: Provenance,
    *,
    comparisons: Sequence[MethodComparison] = (),
    explained: Explained = NOT_EXPLAINED,
    known_wrong: Collection[int] | None = None,
    cam_agreement: Sequence[MapAgreement] = (),
    validation: Validation | None = None,
    cue_gaps: Sequence[CueGap] = (),
) -> Verdict:
    """Judge the ladder and every method, write the sentences, and say what to do next.

    Args:
        explained: what explains the gain of leaving images out, by method, and why nothing does.
        known_wrong: ids of training images whose label is known to be wrong; None where nothing is known.
        validation: what validation images say of the methods; None: nobody asked them.
        cue_gaps: every found cue with every method.
    """
    baseline = next(iter(found.evaluations), None)
    labels = {m: _harmful_labels(m, found, known_wrong) for m in found.attributions}
    case = make_case(found, comparisons, limits, validation).model_copy(
        update={
            "explained": next(iter(explained[0].values()), None),
            "harmful_labels": labels.get(baseline or ""),
            "cue_gaps": list(cue_gaps),
            "untraced": next(
                (part.why for part in found.missing if (part.stage, part.method) == ("attribute", baseline)),
                "",
            ),
        }
    )
    rungs = climb_ladder(case)
    reliance = compare_reliance(found.evaluations, found.gradcams, baseline=baseline, limits=limits)
    evaluations = list(found.evaluations.values())
    methods = {name: judge_method(name, found, case, rungs, explained) for name in found.evaluations}
    advised = recommend(case.choice, case.validation, rungs, case.comparisons, evaluations, limits)
    return Verdict(
        provenance=provenance,
        headline=write_headline(case, rungs),
        brief=write_brief(case, rungs, advised, methods),
        baseline=baseline,
        rungs=rungs,
        recommendation=advised,
        next_steps=list_next_steps(case, rungs, advised),
        thresholds=limits,
        harmed_group=case.harmed,
        methods=methods,
        attribution={
            name: _judge_attribution(result).model_copy(update={"harmful_labels": labels[name]})
            for name, result in found.attributions.items()
        },
        comparisons=list(comparisons),
        reliance=reliance,
        reliance_finding=describe_reliance(reliance),
        cue_gaps=list(cue_gaps),
        color_reliance=color_reliance(found.color, found.info, case.baseline, limits),
        cam_agreement=list(cam_agreement),
        edits=judge_edits(case.baseline, found.evaluations.get(_fixing(case, rungs)), limits),
        heat={name: judge_heat(cam, limits) for name, cam in found.gradcams.items()},
        leaking_sources=_leaking_share(found.info.sources, found.info.n.get("test", 0)),
        missing=list(found.missing),
        not_trained=dict(found.not_trained),
        made_from=dict(found.made_from),
    )


def make_case(
    found: Results,
    comparisons: Sequence[MethodComparison],
    limits: Thresholds,
    validation: Validation | None = None,
) -> Case:
    """What the ladder is climbed with: the first method is the baseline."""
    baseline, *others = found.evaluations or [None]
    if validation is None:
        validation = unasked([found.evaluations[name] for name in others if name])
    return Case(
        info=found.info,
        color=found.color,
        baseline=found.evaluations[baseline] if baseline else None,
        others=[found.evaluations[name] for name in others if name],
        attribution=found.attributions.get(baseline) if baseline else None,
        comparisons=[
            c for c in comparisons if why_not_asked(found.evaluations.get(c.method), limits) is None
        ],
        hygiene=found.hygiene,
        cues=found.cues,
        limits=limits,
        validation=validation,
        left_out={
            name: history.removal.chosen
            for name, history in found.histories.items()
            if history.removal is not None and history.removal.chosen
        },
    )


def _fixing(case: Case, rungs: Sequence[Rung]) -> str:
    """The method that rung 5 says fixes the harm; empty where none does."""
    is_fixed = statuses(rungs)["fixed_by"] in ("yes", "partly")
    return case.best.method if is_fixed and case.best else ""


def judge_method(
    name: str, found: Results, case: Case, rungs: Sequence[Rung], explained: Explained = NOT_EXPLAINED
) -> MethodVerdict:
    """What one method's numbers mean, beside the ladder of the baseline."""
    evaluation, limits, history = found.evaluations[name], case.limits, found.histories.get(name)
    test, groups = evaluation.test, found.info.groups
    used, harmful = _ask(evaluation, case, rungs)
    shift, no_shift = _shift(evaluation)
    n_present = sum(group.n > 0 for group in test.groups)
    return MethodVerdict(
        needs=groups_needed(evaluation.labels_used),
        used=used,
        harmful=harmful,
        not_asked=why_not_asked(evaluation, limits),
        no_better=why_no_better(evaluation, limits),
        never_predicted=never_predicted_text(evaluation),
        groups=printed_groups(test, limits),
        changes=printed_changes(evaluation, limits),
        overall_changes=printed_overall(evaluation, limits),
        worst=worst_enough_group(test, limits),
        clearly_worse=[group.index for group in clearly_worse(test, limits)],
        uncounted=[group.index for group in uncounted_groups(found.info, test, limits)],
        below=[clear_ceiling(group, n_present, alpha=limits.alpha) for group in test.groups],
        served_worse=_served_worse(evaluation, case, harmful),
        shift=shift,
        no_shift=no_shift,
        found_cues=judge_found(evaluation.cues, limits),
        repair=case.repairs.get(name),
        curves=summarize_curves(history.epochs, [group.name for group in groups]) if history else None,
        removal=summarize_removal(history.removal, groups, explained[0].get(name), explained[1].get(name, ""))
        if history and history.removal
        else None,
        dynamics=judge_dynamics(history.epochs, groups, limits) if history else None,
    )


def _ask(evaluation: EvaluationResult, case: Case, rungs: Sequence[Rung]) -> tuple[Rung, Rung]:
    """Does it use the cue, and does a group pay: of the baseline as the ladder says."""
    if case.baseline is not None and evaluation.method == case.baseline.method:
        answers = {rung.rung: rung for rung in rungs}
        return answers["used"], answers["harmful"]
    limits = case.limits
    named = judge_used(evaluation, case.color.color_only, limits)
    used = settle_use(named, case.cues, judge_found(evaluation.cues, limits))
    gap = case.forming_gap(evaluation.method)
    harmful = judge_harmful(case.info, evaluation, limits=limits, gap=gap)
    return withhold(used, evaluation, limits), withhold(harmful, evaluation, limits)


def _shift(evaluation: EvaluationResult) -> tuple[Shift | None, str]:
    """What rung 2 goes by, or why there is nothing to go by."""
    found, exchange = evaluation.cue_use, deciding_exchange(evaluation.cue_use)
    if found is None:
        return None, "no exchange of the cue was made"
    if exchange is None:
        return None, uncarried_text(found)
    size = size_either_way(exchange.size)
    is_against = exchange.size.value < 0
    return Shift(exchange=exchange.name, n_images=exchange.n_images, size=size, is_against=is_against), ""


def _served_worse(evaluation: EvaluationResult, case: Case, harmful: Rung) -> int | None:
    """By the verdict for the baseline, by the gap to the average for others."""
    if case.baseline is not None and evaluation.method == case.baseline.method:
        return case.harmed.index if case.harmed and harmful.status == "yes" else None
    test = evaluation.test
    if test.gap is None or not test.worst_group.sufficient:
        return None
    status = judge_effect(test.gap.value, test.gap.low, case.limits.min_effect)
    return test.worst_group.index if status == "yes" else None


def _harmful_labels(method: str, found: Results, known_wrong: Collection[int] | None) -> HarmfulLabels | None:
    """Of the images that harm the baseline's worst group: only its models are what images are left out of."""
    if method != next(iter(found.evaluations), None):
        return None
    removal = next((h.removal for h in found.histories.values() if h.removal is not None), None)
    harmful = found.attributions[method].most_harmful_to_worst
    return count_wrong_labels(harmful, removal, found.info.groups, known_wrong)


def _judge_attribution(found: AttributionResult) -> AttributionVerdict:
    errors, n = found.label_errors, len(found.shares)
    return AttributionVerdict(
        skill=judge_lds(found.lds) if found.lds else None,
        rule=describe_rule(found.group_check) if found.group_check else "",
        harmful_shares=[judge_share(s.harmful, s.expected, n_groups=n) for s in found.shares],
        helpful_shares=[judge_share(s.helpful, s.expected, n_groups=n) for s in found.shares],
        suspects={s.ranking: describe_suspects(s) for s in (errors.lists if errors else []) if s.groups},
        sizes=[describe_sizes(calibration) for calibration in found.calibrations],
        agreement=describe_agreement(errors.agreement) if errors and errors.agreement else "",
    )


def _leaking_share(sources: SourceCounts | None, n_test: int) -> Estimate | None:
    """None where the data do not say which images were taken together."""
    return share_estimate(sources.n_leaking_test, n_test) if sources is not None and n_test else None
