"""Rung 3 where a cue's own guess forms the groups: whom does it cost to be misnamed by the cue."""

from __future__ import annotations

from pipeline.core.words import count, quoted
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.verdict import CueGap, Status, Thresholds
from pipeline.verdict.evidence.rules import GroupedData, printed
from pipeline.verdict.harm.paying import find_harm
from pipeline.verdict.phrases import accuracy_phrase, method_label, points_phrase


def judge_cue_groups(
    info: GroupedData, baseline: EvaluationResult, gap: CueGap | None, limits: Thresholds
) -> tuple[Status, str]:
    """The answer over all classes together, and the class that is furthest apart.

    Args:
        gap: of the cue that forms the groups, with this model; None where it is not at hand.
    """
    if gap is None:
        return "insufficient", "What the cue names of the test images is not at hand."
    text = _gap_text(gap)
    harm = find_harm(info, baseline, limits)
    if harm is not None and harm.gap is not None and harm.same is not None:
        same, group = (printed(g, baseline.test, limits) for g in (harm.same, harm.group))
        text += (
            f" Furthest apart are {quoted(group.name)}, {accuracy_phrase(group)}, and {quoted(same.name)}, "
            f"{accuracy_phrase(same)}: {points_phrase(harm.gap.points)}."
        )
    return gap.status, text


def _gap_text(gap: CueGap) -> str:
    """What the number is, and what it may also be."""
    cue = quoted(gap.title if gap.part is None else f"{gap.title}, {gap.part}")
    text = (
        f"{cue} alone names the class of {count(gap.n_aligned)} test images rightly and of "
        f"{count(gap.n_conflicting)} wrongly."
    )
    if gap.difference is not None:
        text += (
            f" Within classes {method_label(gap.method)}'s accuracy on the two differs by "
            f"{points_phrase(gap.difference)}"
        )
        if gap.beyond is not None:
            text += (
                f"; beyond what images that it names so cost in every class, by {points_phrase(gap.beyond)}"
            )
        text += "."
    return text + (f" {gap.note[0].upper()}{gap.note[1:]}." if gap.note else "")
