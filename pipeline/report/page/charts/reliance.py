"""What each edit costs in accuracy: one small panel an edit, every method on one shared axis."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.words import points
from pipeline.records.report import Report
from pipeline.report.page.charts.scales import change_scale
from pipeline.verdict.phrases import intervention_label, method_label, points_phrase

MOST_COLUMNS = 3  # of panels; each has the axis above it


@dataclass(frozen=True)
class Dot:
    """One method's change of accuracy with its interval; positions are percent of the axis."""

    method: str
    label: str
    position: int  # of the method, which decides its color and mark
    at: str
    low: str
    high: str
    tip: str


@dataclass(frozen=True)
class Panel:
    label: str
    dots: list[Dot]


@dataclass(frozen=True)
class Reliance:
    title: str
    zero: str
    ticks: list[tuple[str, str]]  # position and text
    panels: list[Panel]
    n_columns: int


def reliance(report: Report) -> Reliance | None:
    """The accuracies that edits cost, over the images that the records count; None without any edit."""
    found = [(name, i) for name, method in report.methods.items() for i in method.interventions]
    if not found:
        return None
    printed = {name: report.verdict.methods[name].overall_changes for name in report.methods}
    scale = change_scale([printed[name].get(i.name, i.accuracy_change) for name, i in found])
    methods = list(report.methods)
    panels: dict[str, Panel] = {}
    for name, i in found:
        panel = panels.setdefault(i.name, Panel(intervention_label(i.name), []))
        change = printed[name].get(i.name, i.accuracy_change)
        panel.dots.append(
            Dot(
                method=name,
                label=method_label(name),
                position=methods.index(name),
                at=scale.at(change.value),
                low=scale.at(change.low),
                high=scale.at(change.high),
                tip=f"{method_label(name)}, {panel.label.lower()}: accuracy {points_phrase(change)}",
            )
        )
    return Reliance(
        title=report.verdict.reliance_finding or "What each edit costs in accuracy",
        zero=scale.at(0),
        ticks=[(scale.at(tick), points(tick, 0)) for tick in scale.ticks],
        panels=list(panels.values()),
        n_columns=min(MOST_COLUMNS, len(panels)),
    )
