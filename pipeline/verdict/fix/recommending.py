"""What to do about the model: the method that validation chose, if test images confirm it, and its price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.words import count, join_names, points, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.recommendation import Action, Need, Recommendation, Validation
from pipeline.records.verdict import Rung, RungName, Status, Thresholds
from pipeline.verdict.fix.choosing import Choice
from pipeline.verdict.fix.needs import NEED_WORDS, groups_needed
from pipeline.verdict.phrases import method_label, points_interval

FALLS_NAMED = 2
_UNHARMED: dict[str, tuple[Action, str]] = {
    "no": ("keep", "No group is shown to pay for the cue, so there is nothing to repair."),
    "insufficient": ("cannot_tell", "Whether a group pays for the cue is not established."),
}


def recommend(
    choice: Choice,
    validation: Validation,
    rungs: Sequence[Rung],
    comparisons: Sequence[MethodComparison],
    evaluations: Sequence[EvaluationResult],
    limits: Thresholds,
) -> Recommendation:
    """Test images are asked about the chosen method alone; where they do not confirm it, no other is taken.

    Args:
        rungs: the ladder, whose last one is about the chosen method.
        evaluations: the baseline first; may be empty.
    """
    answers = {rung.rung: rung.status for rung in rungs}
    action, reason = _act(choice, answers, evaluations)
    known = Recommendation(action=action, method=None, reason=reason, validation=validation)
    comparison = next((c for c in comparisons if c.method == choice.chosen), None)
    method = next((e for e in evaluations if e.method == choice.chosen), None)
    if comparison is None or method is None:
        return known
    needs, falls = groups_needed(method.labels_used), _falls(comparison, limits)
    return known.model_copy(
        update={
            "method": choice.chosen if action == "use" else None,
            "chosen": choice.chosen,
            "tied": choice.tied,
            "needs": needs,
            "gain": comparison.gain,
            "average": comparison.average_gain,
            "falls": falls,
            "price": _price(needs, comparison.average_gain, falls),
        }
    )


def _act(
    choice: Choice, answers: Mapping[RungName, Status], evaluations: Sequence[EvaluationResult]
) -> tuple[Action, str]:
    if not evaluations:
        return "cannot_tell", "No model was evaluated."
    if answers["harmful"] != "yes":
        return _UNHARMED["no" if answers["harmful"] == "no" else "insufficient"]
    if choice.chosen is None:
        return "cannot_tell", choice.reason
    if not choice.is_worth_it:
        return "keep", choice.reason
    name, fixed = method_label(choice.chosen), answers["fixed_by"]
    answer: dict[Status, tuple[Action, str]] = {
        "yes": ("use", choice.reason),
        "partly": ("use", choice.reason),
        "no": ("keep", f"{choice.reason} Test images do not confirm that {name} repairs the group."),
        "insufficient": (
            "cannot_tell",
            f"{choice.reason} Test images leave open whether it repairs the group.",
        ),
    }
    return answer[fixed]


def _falls(comparison: MethodComparison, limits: Thresholds) -> list[GroupEstimate]:
    """Groups that lose by the size that matters, or clearly by less; the interval says how clear it is."""
    lost = [
        GroupEstimate(**group.gain.model_dump(), index=group.index, name=group.name)
        for group in comparison.groups
        if group.sufficient and (group.gain.value <= -limits.min_effect or group.gain.high < 0)
    ]
    return sorted(lost, key=lambda group: group.value)


def _price(needs: Need, average: Estimate, falls: Sequence[GroupEstimate]) -> str:
    """ "It needs ..., changes the average by +22.5 points [...] and takes 4.3 points [...] from “a”."."""
    parts = [
        f"needs {NEED_WORDS[needs]}",
        f"changes the average by {points(average.value)} points {points_interval(average)}",
    ]
    lost = [
        f"{points(-fall.value).lstrip('+')} points {points_interval(-fall)} from {quoted(fall.name)}"
        for fall in falls[:FALLS_NAMED]
    ]
    if len(falls) > FALLS_NAMED:
        lost.append(f"from {count(len(falls) - FALLS_NAMED)} more groups")
    parts.append(f"takes {join_names(lost)}" if lost else "takes nothing that shows from another group")
    return f"It {join_names(parts)}."
