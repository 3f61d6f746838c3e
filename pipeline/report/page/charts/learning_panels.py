"""Chart: how fast each group is learned, a small panel a group, the baseline beside the chosen method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import percent, quoted
from pipeline.records.report import Report
from pipeline.records.verdict import Curve, Curves
from pipeline.report.page.charts.chosen import chosen_method
from pipeline.report.page.charts.layout import Height, dodge, trace
from pipeline.report.page.group_rows import order_groups
from pipeline.verdict.phrases import method_label

MOST_PANELS = 4
HEIGHT = 110
LABEL = 30  # pixels that a label of two lines takes


@dataclass(frozen=True)
class PanelLine:
    method: str
    position: int  # its color and mark
    points: str
    y: float  # of the last epoch
    y_label: float
    last: float
    tip: str


@dataclass(frozen=True)
class Panel:
    """One group's validation accuracy over the epochs."""

    name: str
    lines: list[PanelLine]


@dataclass(frozen=True)
class LearningPanels:
    title: str
    panels: list[Panel]
    height: int
    heights: list[tuple[float, float]]  # pixels and accuracies
    rest: str


def learning_panels(report: Report, methods: Sequence[str] | None = None) -> LearningPanels | None:
    """Of the baseline and the chosen method unless others are asked for; None where no curve is known.

    A method that only trains a last layer has no curve of its own.
    """
    wanted = methods or [m for m in (report.verdict.baseline, chosen_method(report)) if m]
    curves = {m: own for m in wanted if (own := _own_curves(report, m)) is not None}
    panels = [_panel(report, curves, g) for g in _by_need(report)] if curves else []
    drawn = [panel for panel in panels if panel.lines]
    if not drawn:
        return None
    n_rest = len(report.dataset.groups) - len(drawn[:MOST_PANELS])
    return LearningPanels(
        title=_title(report, curves),
        panels=drawn[:MOST_PANELS],
        height=HEIGHT,
        heights=[(_UP.at(v), v) for v in (0.0, 0.5, 1.0)],
        rest=f"Not drawn: {n_rest} other group{'' if n_rest == 1 else 's'}." if n_rest else "",
    )


_UP = Height(0.0, 1.0, 8, HEIGHT - 8)


def _own_curves(report: Report, method: str) -> Curves | None:
    judged, trained = report.verdict.methods.get(method), report.training.get(method)
    is_borrowed = trained is not None and bool(trained.last_layers)
    return judged.curves if judged and not is_borrowed else None


def _by_need(report: Report) -> list[int]:
    """The harmed group first, then the others, the baseline's lowest first."""
    harmed = report.verdict.harmed_group
    first = harmed.index if harmed else None
    order = [g for g, _ in order_groups(report)] or list(range(len(report.dataset.groups)))
    return sorted(order, key=lambda g: g != first)


def _panel(report: Report, curves: dict[str, Curves], group: int) -> Panel:
    known = {m: own.groups[group] for m, own in curves.items()}
    lasts = {m: last for m, curve in known.items() if (last := _last(curve)) is not None}
    labels = dodge([_UP.at(v) for v in lasts.values()], LABEL, LABEL / 2, HEIGHT - LABEL / 2)
    lines = [
        PanelLine(
            method=method,
            position=list(report.methods).index(method) if method in report.methods else 0,
            points=_points(curves[method], known[method]),
            y=_UP.at(last),
            y_label=y_label,
            last=last,
            tip=_tip(method, known[method], curves[method], last),
        )
        for (method, last), y_label in zip(lasts.items(), labels, strict=True)
    ]
    return Panel(report.dataset.groups[group].name, lines)


def _last(curve: Curve) -> float | None:
    return next((v for v in reversed(curve.mean) if v is not None), None)


def _points(curves: Curves, curve: Curve) -> str:
    longest = max(curves.n_epochs - 1, 1)
    return trace(
        [
            (min(epoch / longest, 1.0), None if v is None else _UP.at(v))
            for epoch, v in zip(curves.epochs, curve.mean, strict=True)
        ]
    )


def _tip(method: str, curve: Curve, curves: Curves, last: float) -> str:
    text = (
        f"{method_label(method)}, {curve.name}: {percent(last)} on validation after {curves.n_epochs} epochs"
    )
    if curve.learned_epoch is None or curve.best is None:
        return text
    return f"{text}; best {percent(curve.best)}, nine tenths of it by epoch {curve.learned_epoch}"


def _title(report: Report, curves: dict[str, Curves]) -> str:
    """Where the harmed group ends, method by method."""
    group = _by_need(report)[0]
    reached = [
        f"{percent(last, 0)} with {method_label(m)}"
        for m, own in curves.items()
        if (last := _last(own.groups[group])) is not None
    ]
    name = quoted(report.dataset.groups[group].name, 40)
    if not reached:
        return f"How fast each group is learned, {name} first"
    return f"{name} ends at {' and '.join(reached)} on validation images"
