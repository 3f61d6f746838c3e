"""What changed between the two: worst group, average and groups, as differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import count, percent, points
from pipeline.report.compare.reports import LABELS, Difference, MethodPair, Shows
from pipeline.report.compare.words import finding, which_group
from pipeline.report.page.charts.scales import Scale, change_scale
from pipeline.verdict.phrases import TOO_FEW, points_phrase

GROUPS_DRAWN = 6


@dataclass(frozen=True)
class ChangeRow:
    """One difference; positions are percent of the axis."""

    label: str
    detail: str  # which group a worst group is
    shows: Shows
    at: str
    low: str
    high: str
    value: str
    tip: str


@dataclass(frozen=True)
class ChangeChart:
    """Rows on one axis of percentage points around zero."""

    title: str
    rows: list[ChangeRow]
    scale: Scale
    left: str
    right: str
    note: str  # what is not drawn


def draw_changes(pair: MethodPair) -> ChangeChart | None:
    """None where no difference is known."""
    overall = [row for row in pair.overall if row.name in ("worst_group", "average")]
    known = [row for row in pair.groups if row.difference.n]
    drawn = [row for row in [*sorted(overall, key=_worst_first), *_choose(known)] if row.difference.n]
    if not drawn:
        return None
    scale, names = change_scale([row.difference for row in drawn]), (pair.first.name, pair.second.name)
    rest = len(pair.groups) - sum(row not in overall for row in drawn)
    return ChangeChart(
        title=finding(pair),
        rows=[_row(row, scale, names) for row in drawn],
        scale=scale,
        left=f"worse in {pair.second.name}",
        right=f"better in {pair.second.name}",
        note=f"{count(rest)} more group{'' if rest == 1 else 's'} in the table." if rest else "",
    )


def _worst_first(row: Difference) -> bool:
    return row.name != "worst_group"


def _choose(groups: Sequence[Difference]) -> list[Difference]:
    """All of a few groups; of many those that change clearly and most. Gains first."""
    by_evidence = sorted(groups, key=lambda row: (row.shows == "open", -abs(row.difference.value)))
    return sorted(by_evidence[:GROUPS_DRAWN], key=lambda row: -row.difference.value)


def _row(row: Difference, scale: Scale, names: tuple[str, str]) -> ChangeRow:
    group, both = which_group(row), f"{percent(row.first.value)} to {percent(row.second.value)}"
    label, change = LABELS.get(row.name, row.name), row.difference
    thin = "" if row.sufficient else f"; {TOO_FEW}"
    return ChangeRow(
        label=label,
        detail=group,
        shows=row.shows,
        at=scale.at(change.value),
        low=scale.at(change.low),
        high=scale.at(change.high),
        value=points(change.value),
        tip=f"{label}: {both} from {names[0]} to {names[1]}, {points_phrase(change)}{thin}",
    )
