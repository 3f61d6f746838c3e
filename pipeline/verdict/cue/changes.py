"""What an edit of the cue does to every group, as it is printed."""

from __future__ import annotations

from pipeline.records.base import GroupEstimate
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
