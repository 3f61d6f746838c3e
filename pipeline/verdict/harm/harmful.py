"""Rung 3: does a group pay for the cue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pipeline.core.words import count, number, percent, points, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.verdict import CueGap, Rung, Status, Thresholds
from pipeline.verdict.evidence.rules import (
    MIN_SEEDS,
    MISLED_RATIO,
    GroupedData,
    counted_groups,
    is_of_cue,
    misled_groups,
    perhaps_misled_groups,
    printed,
)
from pipeline.verdict.evidence.small_groups import worse_clause
from pipeline.verdict.harm.cue_groups import judge_cue_groups
from pipeline.verdict.harm.paying import Harm, find_harm, hard_class, hard_values, unanswered_groups
from pipeline.verdict.phrases import GROUPS_NAMED, accuracy_phrase, method_label, points_phrase


def judge_harmful(
    info: GroupedData,
    baseline: EvaluationResult | None,
    *,
    limits: Thresholds,
    gap: CueGap | None = None,
) -> Rung:
    """Do groups in which the cue points the wrong way lose more than their class and their value explain.

    A group can be worst for reasons that have nothing to do with the cue, so only misled groups
    (`misled_groups`) can show harm, and of these only what is left of their label's gap after what the
    same attribute value costs other classes (`paying.Harm`): the group that pays need not be the worst.
    Where a cue's own guess forms the groups, `gap` answers, over all classes together.
    A method needs several trainings; a model that was trained elsewhere is asked about itself alone.

    Args:
        gap: of the cue that forms the groups, with this model; None where none does.
    """
    question = "Does a group pay for it?"

    def answer(status: Status, text: str, estimate: GroupEstimate | None = None) -> Rung:
        plain = Estimate(**estimate.model_dump(include=set(Estimate.model_fields))) if estimate else None
        unit: Literal["accuracy"] | None = "accuracy" if estimate else None
        return Rung(
            rung="harmful", question=question, status=status, evidence=text, estimate=plain, unit=unit
        )

    needed = f"{count(limits.min_test)} test images"
    if baseline is None:
        return answer("insufficient", "No model was evaluated.")
    if len(counted_groups(baseline.test)) < 2:
        text = f"Fewer than two groups have the {needed} that a comparison needs."
        return answer("insufficient", text)
    worst = baseline.test.worst_group
    if not info.attributes or info.attributes[0].origin == "none":
        text = f"No attribute forms groups, so nobody can be misled by one. {_worst_text(baseline, worst)}"
        return answer("insufficient", text, worst)
    is_few = len(baseline.seeds) < MIN_SEEDS
    if is_few and not baseline.is_brought:
        text = f"{_one_training(len(baseline.seeds))} {_worst_text(baseline, worst)}"
        return answer("insufficient", text, worst)
    if is_of_cue(info):
        harmed = harmed_group(info, baseline, limits)
        status, text = judge_cue_groups(info, baseline, gap, limits)
    else:
        status, text, harmed = _of_attribute(info, baseline, worst, limits)
    return answer(status, text + (_of_these_models(len(baseline.seeds)) if is_few else ""), harmed)


def _of_attribute(
    info: GroupedData, baseline: EvaluationResult, worst: GroupEstimate, limits: Thresholds
) -> tuple[Status, str, GroupEstimate | None]:
    if info.attributes[0].origin == "inferred":
        text = (
            "The groups were inferred from a model: nobody knows which of them a cue misleads, "
            f"and what a model finds hard lies together. {_worst_text(baseline, worst)}"
        )
        return "insufficient", text, worst
    misled = misled_groups(info)
    if not misled:
        return *_of_no_misled(info, baseline, worst, limits), worst
    return _weigh_harm(info, baseline, len(misled), limits)


def _of_no_misled(
    info: GroupedData, baseline: EvaluationResult, worst: GroupEstimate, limits: Thresholds
) -> tuple[Status, str]:
    """Where the cue misleads no group: no, unless a group is as rare as a misled one by few images."""
    attribute, worst_text = quoted(info.attributes[0].name), _worst_text(baseline, worst)
    perhaps = perhaps_misled_groups(info)
    if perhaps:
        rarest = info.groups[perhaps[0]]
        return "insufficient", (
            f"Too few training images to tell whether {attribute} points the wrong way in a group: "
            f"{quoted(rarest.name)} has {count(rarest.n_train)}, which may be chance. {worst_text}"
        )
    return "no", (
        f"In no group does {attribute} point the wrong way: each has at least {percent(MISLED_RATIO, 0)} of "
        f"the training images that label and attribute being independent would give. {worst_text}"
        f"{_hardness_text(info, baseline, worst, limits)}"
    )


def _weigh_harm(
    info: GroupedData, baseline: EvaluationResult, n_misled: int, limits: Thresholds
) -> tuple[Status, str, GroupEstimate | None]:
    """The answer where the cue misleads groups: no only if each of them could be judged."""
    harm, harmed = find_harm(info, baseline, limits), harmed_group(info, baseline, limits)
    if harm is None or harmed is None:
        return "insufficient", _no_candidate_text(info, baseline, n_misled, limits), None
    status, unanswered = harm.judge(limits), unanswered_groups(info, baseline, limits)
    text = _harm_text(info, baseline, harmed, harm.n_candidates) + _also_worse(baseline, harmed, limits)
    text += _interaction_text(harm, baseline, limits)
    if harm.odds_decide(limits):
        text += _odds_text(harm)
    if status != "yes" and unanswered:
        status = "insufficient"
        text += (
            f" Of {count(len(unanswered))} of the {count(n_misled)} groups it misleads nothing can be said: "
            f"{_unanswered_text(unanswered, limits)}."
        )
    if status != "yes":
        text += _hardness_text(info, baseline, harmed, limits)
    return status, text, harmed


def _no_candidate_text(
    info: GroupedData, baseline: EvaluationResult, n_misled: int, limits: Thresholds
) -> str:
    who = (
        "The one group that the cue misleads has"
        if n_misled == 1
        else f"None of the {count(n_misled)} groups that the cue misleads has"
    )
    few = "fewer than the" if n_misled == 1 else "the"
    thin = unanswered_groups(info, baseline, limits)
    shown = f": {_unanswered_text(thin, limits)}" if thin else ""
    return f"{who} {few} {count(limits.min_test)} test images that a comparison needs{shown}."


def _unanswered_text(groups: Sequence[GroupEstimate], limits: Thresholds) -> str:
    """ "“a” has 60 test images, 100 are needed"."""
    named = [
        f"{quoted(group.name)} has {count(group.n)} test images, {count(limits.min_test)} are needed"
        if not group.sufficient
        else f"{quoted(group.name)} has no group with enough test images to compare with"
        for group in groups[:GROUPS_NAMED]
    ]
    more = f"; and {count(len(groups) - GROUPS_NAMED)} more" if len(groups) > GROUPS_NAMED else ""
    return "; ".join(named) + more


def _odds_text(harm: Harm) -> str:
    """Why a loss that is clear in points is not called harm."""
    assert harm.interaction is not None
    odds = harm.interaction.log_odds
    factor, low, high = (number(math.exp(min(x, 50.0))) for x in (odds.value, odds.low, odds.high))
    return (
        " In odds of a right answer the difference could be none: they fall by a factor of "
        f"{factor} (95% interval {low} to {high}) more than in other classes, and 1 is no difference. Near "
        "100% the same change can look larger in points, so harm is not established."
    )


def harmed_group(
    info: GroupedData, baseline: EvaluationResult | None, limits: Thresholds
) -> GroupEstimate | None:
    """The group that the ladder speaks of: the misled one that pays most, else the worst."""
    if baseline is None:
        return None
    harm = find_harm(info, baseline, limits)
    if harm is not None:
        return printed(harm.group, baseline.test, limits)
    return baseline.test.counted_worst


def guided_group(
    info: GroupedData, baseline: EvaluationResult, harmed: GroupEstimate, limits: Thresholds
) -> GroupEstimate | None:
    """The same label where the cue is right, None where `harmed` is not the misled group that pays most."""
    harm = find_harm(info, baseline, limits)
    if harm is None or harm.same is None or harm.group.index != harmed.index:
        return None
    return printed(harm.same, baseline.test, limits)


def _one_training(n_seeds: int) -> str:
    seeds = "one seed" if n_seeds == 1 else f"{n_seeds} seeds"
    return (
        f"Trained with {seeds}: one training says nothing about training, so whether a group pays is not "
        f"known (train.seeds: at least {MIN_SEEDS})."
    )


def _of_these_models(n_models: int) -> str:
    """What few models that were trained elsewhere are asked: how they do, not how training goes."""
    which, one = ("this one model", "it") if n_models == 1 else (f"these {n_models} models", "them")
    return f" That is said of {which}: what another training of {one} would do is not known."


def _interaction_text(harm: Harm, baseline: EvaluationResult, limits: Thresholds) -> str:
    if harm.same is None or harm.gap is None:
        return " No group of the same label where the cue is right has enough images to compare with."
    same = printed(harm.same, baseline.test, limits)
    text = (
        f" The same label where the cue is right, {quoted(same.name)}: {accuracy_phrase(same)}, "
        f"{points_phrase(harm.gap.points)} away."
    )
    if harm.interaction is None:
        return (
            f"{text} No other class has both attribute values on enough test images, so whether the value "
            "is merely harder cannot be told."
        )
    cost = harm.gap.points.value - harm.interaction.points.value
    return (
        f"{text} The same change of attribute costs the other classes {points(cost)} points; the difference, "
        f"which neither class nor attribute explains: {points_phrase(harm.interaction.points)}."
    )


def _hardness_text(
    info: GroupedData, baseline: EvaluationResult, group: GroupEstimate, limits: Thresholds
) -> str:
    """Why a group may be low without paying for the cue."""
    sentences = [
        f" Images with {quoted(hard.name)} are harder in every class: by {points_phrase(hard.cost.points)} "
        f"on average over {count(hard.n_strata)} classes. That is no shortcut."
        for hard in hard_values(info, baseline, limits)
    ]
    label = info.groups[group.index].label
    hard = hard_class(info, baseline, label, limits)
    if hard is not None:
        sentences.append(
            f" {quoted(label)} is harder with every value of {quoted(info.attributes[0].name)}: by "
            f"{points_phrase(hard.cost.points)} on average. That is no shortcut."
        )
    return "".join(sentences)


def _harm_text(
    info: GroupedData, baseline: EvaluationResult, harmed: GroupEstimate, n_candidates: int
) -> str:
    average, expected = baseline.test.average, baseline.test.expected_worst_if_equal
    n_train = info.groups[harmed.index].n_train
    gap = points(average.value - harmed.value).lstrip("+")
    which = (
        f"the one that pays most of {count(n_candidates)} groups"
        if n_candidates > 1
        else "the one group with enough images"
    )
    verdict = f"a gap of {gap} points"
    if harmed.value > average.value:  # nobody who pays: it may still lose to its own class
        which = which.replace("that pays most of", "that loses most to its own class among")
        verdict = "it does not lie below"
    text = (
        f"{method_label(baseline.method)} is right on {accuracy_phrase(harmed)} of {quoted(harmed.name)}, "
        f"{which} that the cue misleads ({count(n_train)} training images), against "
        f"{accuracy_phrase(average)} on average: {verdict}."
    )
    if expected is not None and math.isfinite(expected):
        text += (
            f" If all groups were equally good, chance alone would put the worst near {percent(expected)}."
        )
    if baseline.test.worst_group.index != harmed.index:
        text += f" The lowest accuracy of all is in {quoted(baseline.test.worst_group.name)}."
    return text


def _also_worse(baseline: EvaluationResult, harmed: GroupEstimate, limits: Thresholds) -> str:
    """Every other group that is clearly below the average, whether or not it pays for the cue."""
    clause = worse_clause(baseline.test, limits, harmed.index).removeprefix("; ")
    return f" {clause[0].upper()}{clause[1:]}." if clause else ""


def _worst_text(baseline: EvaluationResult, worst: GroupEstimate) -> str:
    return (
        f"{method_label(baseline.method)} is right on {accuracy_phrase(worst)} of {quoted(worst.name)}, "
        f"its worst group, against {accuracy_phrase(baseline.test.average)} on average."
    )
