"""Chart: every indicator in every group, the baseline beside the chosen method."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.core.words import number, percent
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.indicators import Indicator
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import chosen_method
from pipeline.report.page.charts.scales import Scale
from pipeline.report.page.group_rows import order_groups
from pipeline.verdict.phrases import method_label

MOST_GROUPS = 4


@dataclass(frozen=True)
class IndicatorMark:
    """One method's number in one group."""

    method: str
    position: int  # its color and mark
    estimate: GroupEstimate
    text: str
    tip: str


@dataclass(frozen=True)
class IndicatorRow:
    title: str
    sees: str
    source: str
    better: str
    scale: Scale
    cells: list[list[IndicatorMark]]  # group by group


@dataclass(frozen=True)
class IndicatorGroups:
    title: str
    groups: list[str]
    methods: list[tuple[int, str]]  # position and name
    rows: list[IndicatorRow]
    rest: str


def indicator_groups(report: Report) -> IndicatorGroups | None:
    """None where nothing was measured group by group."""
    shown = [m for m in (report.verdict.baseline, chosen_method(report)) if m and m in report.indicators]
    if not shown:
        return None
    order = _groups(report)
    rows = [row for i in report.indicators[shown[0]].indicators if (row := _row(report, i, shown, order))]
    if not rows:
        return None
    n_rest = len(report.dataset.groups) - len(order)
    return IndicatorGroups(
        title="Beyond accuracy, group by group",
        groups=[report.dataset.groups[g].name for g in order],
        methods=[(_position(report, m), m) for m in shown],
        rows=rows,
        rest=f"{n_rest} other group{'' if n_rest == 1 else 's'} in the JSON and the exported tables."
        if n_rest > 0
        else "",
    )


def _groups(report: Report) -> list[int]:
    """The harmed group first, then the others, the baseline's lowest first."""
    harmed = report.verdict.harmed_group
    order = [g for g, _ in order_groups(report)] or list(range(len(report.dataset.groups)))
    return sorted(order, key=lambda g: harmed is None or g != harmed.index)[:MOST_GROUPS]


def _row(report: Report, indicator: Indicator, methods: list[str], order: list[int]) -> IndicatorRow | None:
    known = {m: found for m in methods if (found := report.indicators[m].find(indicator.name)) is not None}
    cells = [
        [
            _mark(report, m, indicator, own)
            for m, found in known.items()
            if (own := next((e for e in found.groups if e.index == g), None)) is not None
        ]
        for g in order
    ]
    if not any(cells):
        return None
    scale = _scale([mark.estimate for cell in cells for mark in cell])
    return IndicatorRow(indicator.title, indicator.sees, indicator.source, indicator.better, scale, cells)


def _mark(report: Report, method: str, indicator: Indicator, estimate: GroupEstimate) -> IndicatorMark:
    text = _text(estimate.value, indicator)
    few = "" if estimate.sufficient else ", too few images"
    interval = f"{_text(estimate.low, indicator)} to {_text(estimate.high, indicator)}"
    return IndicatorMark(
        method=method,
        position=_position(report, method),
        estimate=estimate,
        text=text,
        tip=f"{method_label(method)}, {estimate.name}: {indicator.title} {text} "
        f"(95% interval {interval}, n = {estimate.n:,}{few})",
    )


def _text(value: float, indicator: Indicator) -> str:
    return percent(value) if indicator.unit == "share" else number(value)


def _position(report: Report, method: str) -> int:
    return list(report.methods).index(method)


def _scale(estimates: list[Estimate] | list[GroupEstimate]) -> Scale:
    """As wide as all intervals; without ticks, since the numbers stand below."""
    values = [e.value for e in estimates]
    ends = [end for e in estimates for end in (e.low, e.high) if math.isfinite(end)]
    low, high = min([*values, *ends]), max([*values, *ends])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return Scale(low, high, ())
