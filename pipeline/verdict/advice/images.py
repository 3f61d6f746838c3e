"""What to do about images: leaks, contradicting labels, and groups whose images are worse to look at."""

from __future__ import annotations

from pipeline.core.words import count, percent, quoted
from pipeline.records.base import GroupEstimate
from pipeline.records.hygiene import ImageIssue
from pipeline.records.lists import list_key
from pipeline.records.verdict import NextStep
from pipeline.verdict.ladder import Case
from pipeline.verdict.phrases import (
    accuracy_brief,
    shared_sources,
)


def list_image_steps(case: Case) -> list[NextStep]:
    """Leaks, contradicting labels and a group whose images are worse to look at."""
    steps = list[NextStep]()
    cut = shared_sources(case.info.sources, case.info.n.get("test", 0))
    if cut and case.info.sources:
        steps.append(
            NextStep(
                action=f"Split anew so that no {quoted(case.info.sources.name)} is cut: without "
                "`source.columns.split` a split is made that cuts none.",
                because=f"{cut}, so accuracy looks better than it is.",
                section="hygiene",
            )
        )
    if case.hygiene is None:
        return steps
    for found in case.hygiene.duplicates:
        if found.n_leaking:
            steps.append(
                NextStep(
                    action=f"Take the {_duplicates(found.n_leaking, found.kind)} of training or validation "
                    "images out of the test split.",
                    because=f"{accuracy_brief(found.leaking)} of the test images have a twin there, so "
                    "accuracy looks better than it is.",
                    section="hygiene",
                    lists=[list_key("leaking", found.kind)],
                )
            )
        if found.n_conflicting:
            steps.append(
                NextStep(
                    action=f"Look at the {_sets(found.n_conflicting)} of {found.kind} duplicates whose "
                    "labels differ.",
                    because="the same picture cannot have two labels: at least one is wrong."
                    if found.kind == "exact"
                    else "where they show the same picture, at least one label is wrong.",
                    section="hygiene",
                    lists=[list_key("contradicting", found.kind)],
                )
            )
    return steps + [step for issue in case.hygiene.issues for step in _steps_for_issue(case, issue)]


def _duplicates(n: int, kind: str) -> str:
    return f"{kind} duplicate" if n == 1 else f"{count(n)} {kind} duplicates"


def _sets(n: int) -> str:
    return "one set" if n == 1 else f"{count(n)} sets"


def _steps_for_issue(case: Case, issue: ImageIssue) -> list[NextStep]:
    worst = issue.most_affected
    differs = issue.q_value is not None and issue.q_value < case.limits.alpha
    if worst is None or not differs or worst.low - issue.share.value < case.limits.min_effect:
        return []
    if _is_the_attribute(case, issue, worst):
        return []
    what = issue.name.replace("_", "-")
    return [
        NextStep(
            action=f"Check whether {what} images explain what happens in {quoted(worst.name)}.",
            because=f"{accuracy_brief(worst)} of its images are {what}, against {percent(issue.share.value)} "
            "of all.",
            section="hygiene",
            lists=[list_key("odd", issue.name)],
        )
    ]


def _is_the_attribute(case: Case, issue: ImageIssue, worst: GroupEstimate) -> bool:
    """Whether a property is what the attribute says, so that it explains nothing that the groups do not.

    So it is where the group's images have it hardly more often than those of other classes with the same
    attribute value.
    """
    attribute = case.info.attributes[0] if case.info.attributes else None
    if attribute is None or attribute.origin == "none":
        return False
    own = case.info.groups[worst.index]
    others = [
        group
        for info, group in zip(case.info.groups, issue.groups, strict=True)
        if group.n and info.attribute == own.attribute and info.label != own.label
    ]
    n_others = sum(group.n for group in others)
    share = sum(group.value * group.n for group in others) / max(n_others, 1)
    return n_others > 0 and worst.low - share < case.limits.min_effect
