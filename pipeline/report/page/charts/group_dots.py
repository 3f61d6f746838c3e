"""Chart: the baseline's accuracy group by group, the lowest first."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.words import count
from pipeline.records.base import GroupEstimate
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import group_accuracy
from pipeline.report.page.charts.scales import Scale, accuracy_scale
from pipeline.report.page.group_rows import order_groups
from pipeline.verdict.phrases import chart_tip, first_use

MOST_ROWS = 8


@dataclass(frozen=True)
class DotRow:
    name: str
    estimate: GroupEstimate
    fails: bool
    tip: str


@dataclass(frozen=True)
class GroupDots:
    title: str
    rows: list[DotRow]
    scale: Scale
    rest: str


def group_dots(report: Report) -> GroupDots | None:
    """None where no model was evaluated."""
    name = report.verdict.baseline
    if name is None or name not in report.methods:
        return None
    failing = report.verdict.methods[name].clearly_worse
    order = [g for g, _ in order_groups(report)]
    known = [group_accuracy(report, name, g) for g in order if report.methods[name].test.groups[g].n]
    rows = [DotRow(e.name, e, e.index in failing, f"{e.name}: {chart_tip(e, '', False)}") for e in known]
    if not rows:
        return None
    rest = len(rows) - MOST_ROWS
    return GroupDots(
        title=f"How often {first_use(name)} is right, group by group",
        rows=rows[:MOST_ROWS],
        scale=accuracy_scale([row.estimate for row in rows[:MOST_ROWS]]),
        rest=f"The {count(rest)} other groups do better, or have too few images." if rest > 0 else "",
    )
