"""Chart: what each method must be told against what its worst group gets.

Methods are rows and accuracy runs across, so that labels of any length fit a phone; what a method needs is
the row's heading, the cheapest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.words import join_names
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.recommendation import Need
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import group_accuracy, is_measured
from pipeline.report.page.charts.scales import Scale, accuracy_scale
from pipeline.verdict.phrases import TOO_FEW, TRAINED_ON, accuracy_phrase, method_label

HEADINGS: dict[Need, str] = {
    "nothing": "Needs no group labels",
    "validation": "Needs group labels of validation images",
    "training": "Needs group labels of training images",
    "unknown": "Trained elsewhere: nobody here knows what it was told",
}


@dataclass(frozen=True)
class FrontierRow:
    method: str
    position: int  # its color and mark
    worst: GroupEstimate
    is_recommended: bool
    note: str  # "recommended", "tied" with what validation chose, "too few to decide"
    tip: str


@dataclass(frozen=True)
class Band:
    """Methods that must be told as much."""

    need: Need
    words: str
    rows: list[FrontierRow]  # the best worst group first


@dataclass(frozen=True)
class CostFrontier:
    title: str
    bands: list[Band]  # the cheapest first
    scale: Scale
    gate: float | None  # least accuracy of the worst group that is asked for

    @property
    def ends(self) -> list[float]:
        """Numbers of the axis, away from the gate's."""
        return [
            end
            for end in (self.scale.low, self.scale.high)
            if self.gate is None or abs(end - self.gate) > 0.12
        ]


def cost_frontier(report: Report) -> CostFrontier | None:
    """None where no method was evaluated."""
    bands = _bands(report)
    if not bands:
        return None
    gate = gate_of(report)
    drawn = [row.worst for band in bands for row in band.rows]
    asked = [] if gate is None else [Estimate(value=gate, low=gate, high=gate, n=0)]
    return CostFrontier(_title(report), bands, accuracy_scale([*drawn, *asked]), gate)


def gate_of(report: Report) -> float | None:
    """The least accuracy that settings ask of the worst group, where the report knows them."""
    asked = report.provenance.params.get("gate")
    least = asked.get("min_worst_group") if isinstance(asked, Mapping) else None
    return float(least) if isinstance(least, (int, float)) else None


def _bands(report: Report) -> list[Band]:
    rows: dict[Need, list[FrontierRow]] = {need: [] for need in HEADINGS}
    for method, judged in report.verdict.methods.items():
        if method in report.methods and is_measured(_worst(report, method)):
            rows[judged.needs].append(_row(report, method))
    return [
        Band(need, HEADINGS[need], sorted(found, key=lambda row: -row.worst.value))
        for need, found in rows.items()
        if found
    ]


def _worst(report: Report, method: str) -> GroupEstimate:
    return group_accuracy(report, method, report.methods[method].test.worst_group.index)


def _row(report: Report, method: str) -> FrontierRow:
    worst, told = _worst(report, method), report.verdict.recommendation
    is_recommended = method == (report.verdict.baseline if told.action == "keep" else told.method)
    if is_recommended:
        note = "recommended"
    elif not worst.sufficient:
        note = TOO_FEW
    elif why_not := next((c.why_not for c in told.validation.candidates if c.method == method), ""):
        # on validation images, which alone may choose
        note = f"not compared: {why_not}" if why_not == TRAINED_ON else "not compared"
    else:
        note = "tied" if method in told.tied and len(told.tied) > 1 else ""
    return FrontierRow(
        method=method,
        position=list(report.methods).index(method),
        worst=worst,
        is_recommended=is_recommended,
        note=note,
        tip=f"{method_label(method)}, its worst group {worst.name}: {accuracy_phrase(worst)}",
    )


def _title(report: Report) -> str:
    """What validation chose, what it is tied with, and what it needs."""
    told = report.verdict.recommendation
    if told.chosen is None or told.needs is None:
        return "What each method must be told, and what its worst group gets"
    name = method_label(told.chosen)
    is_known = told.needs != "unknown"
    needs = HEADINGS[told.needs].replace("Needs", "needs") if is_known else "was trained elsewhere"
    others = [method_label(method) for method in told.tied if method != told.chosen]
    if not others:
        return f"{name} is best on validation images and {needs}"
    return f"{name} {needs}; validation images do not tell it from {join_names(others)}"
