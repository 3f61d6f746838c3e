"""What an edit of the cue does to every group, as it is printed."""

from __future__ import annotations

from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.verdict import Thresholds
from pipeline.statistics.intervals import clip_difference, widen


def printed_changes(evaluation: EvaluationResult, limits: Thresholds) -> dict[str, list[GroupEstimate]]:
    """Edit -> the change of accuracy in every group with enough images, the largest change first.

    Whoever names the group that changes most has picked it from all of them, and the interval allows for
    that. A method's worst group need not be the one that an edit changes: where the cue misleads two groups,
    the other one can gain half of its images.
    """
    found = {}
    for edit in evaluation.interventions:
        enough = [group for group in edit.group_changes if group.sufficient]
        wide = [
            group.model_copy(
                update=clip_difference(
                    widen(group, n_comparisons=len(enough), alpha=limits.alpha)
                ).model_dump()
            )
            for group in enough
        ]
        found[edit.name] = sorted(wide, key=lambda group: -abs(group.value))
    return found


def printed_overall(evaluation: EvaluationResult, limits: Thresholds) -> dict[str, Estimate]:
    """Edit -> the change of accuracy over all images that it was applied to.

    The verdict names the edit of color that costs most, so the interval of each of these allows for any of
    them having been picked.
    """
    n_colors = sum(edit.family == "color" for edit in evaluation.interventions)
    return {
        edit.name: clip_difference(
            widen(
                edit.accuracy_change,
                n_comparisons=n_colors if edit.family == "color" else 1,
                alpha=limits.alpha,
            )
        )
        for edit in evaluation.interventions
    }
