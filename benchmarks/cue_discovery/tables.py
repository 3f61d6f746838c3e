"""Outcomes as Markdown: what was found of what was planted, and what was named where nothing was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.cue_discovery.examine import Finding
from benchmarks.cue_discovery.expected import DESCRIPTIONS
from benchmarks.cue_discovery.nulls import LABELS
from benchmarks.cue_discovery.tasks import Null, Outcome, Planted
from pipeline.statistics.intervals import wilson

Accepted = Mapping[str, frozenset[str]]
LEGEND = (
    "Shares of data sets with Wilson intervals of 95 %. *found*: a cue of the planted one's family is named; "
    "*first*: of those where any is named, the first one is of that family. *any*: something is named, where "
    "no family is said to be the planted one's."
)


def planted_table(outcomes: Sequence[Outcome], accepted: Accepted) -> str:
    """A row for each cue and number of classes, a column for each strength."""
    tasks = [task for task, _ in outcomes if isinstance(task, Planted)]
    strengths = sorted({task.strength for task in tasks})
    rows = []
    for kind, n_classes in dict.fromkeys((task.kind, task.n_classes) for task in tasks):
        cells = []
        for strength in strengths:
            wanted = (kind, strength, n_classes)
            named = [named for task, named in outcomes if task[:3] == wanted]
            cells.append(_planted_cell(named, accepted.get(kind)))
        rows.append([kind, DESCRIPTIONS[kind], str(n_classes), *cells])
    return _table(["cue", "what tells", "classes", *(f"kappa {value:g}" for value in strengths)], rows)


def null_table(outcomes: Sequence[Outcome]) -> str:
    """A row for each way in which labels are shared out, with the families that were named most often."""
    rows = []
    for labels in LABELS:
        named = [named for task, named in outcomes if isinstance(task, Null) and task.labels == labels]
        if named:
            families = Counter(family for each in named for family in {finding.family for finding in each})
            ordered = sorted(families.items(), key=lambda item: (-item[1], item[0]))
            said = ", ".join(f"{family} ({n})" for family, n in ordered)
            rows.append([labels, str(len(named)), share(sum(map(bool, named)), len(named)), said or "none"])
    return _table(["labels", "data sets", "false alarms", "families named"], rows)


def share(hits: int, n: int) -> str:
    """A share in percent with its interval.

    >>> share(9, 10)
    '90 % [60, 98]'
    """
    if n == 0:
        return "–"
    low, high = wilson(hits, n)
    return f"{100 * hits / n:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _planted_cell(named: Sequence[list[Finding]], accepted: frozenset[str] | None) -> str:
    some = [findings for findings in named if findings]
    if accepted is None:
        return f"any {share(len(some), len(named))}"
    found = sum(any(finding.family in accepted for finding in findings) for findings in some)
    first = sum(findings[0].family in accepted for findings in some)
    return f"found {share(found, len(named))}, first {share(first, len(some))}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
