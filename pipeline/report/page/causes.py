"""Which training images stand for the cause that the fourth rung tells."""

from __future__ import annotations

from pipeline.records.attribution import Influence
from pipeline.records.cause import Cause
from pipeline.records.lists import list_key
from pipeline.records.report import Report

CAUSES_SHOWN = 12


def find_causes(report: Report) -> list[Influence]:
    """The training images most harmful to the group that pays, most harmful first; none where none pays.

    Where leaving images out told wrong labels from the shortcut, those of that cause come first: pictures of
    the other would contradict the sentence below them.
    """
    if any(rung.rung == "caused_by" and rung.status == "no" for rung in report.verdict.rungs):
        return []
    found = report.attribution.get(report.verdict.baseline or "")
    ranked = found.most_harmful_to_worst if found else []
    cause, wrong = _told_cause(report), find_wrong_looking(report)
    if cause in ("labels", "shortcut"):
        ranked = sorted(ranked, key=lambda image: (image.id in wrong) != (cause == "labels"))
    return ranked[:CAUSES_SHOWN]


def find_wrong_looking(report: Report) -> set[int]:
    """Training images whose label looks wrong: by the rule of removal where it looked, else by any list."""
    by_removal = [
        found.ids
        for key, found in report.lists.items()
        if found.kind == "removed" and found.method and key == list_key("removed", found.method, "suspected")
    ]
    by_lists = [found.ids for found in report.lists.values() if found.kind == "suspected"]
    return {image for ids in by_removal or by_lists for image in ids}


def _told_cause(report: Report) -> Cause | None:
    """What holds down the group that the verdict speaks of, by leaving images out."""
    harmed = report.verdict.harmed_group
    for judged in report.verdict.methods.values():
        explained = judged.removal.explained if judged.removal else None
        if explained and harmed is not None and explained.group_index == harmed.index:
            return explained.cause
    return None
