"""Chart: how often each method is right by how sure it is, and errors among its surest answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.words import percent, quoted
from pipeline.records.base import Estimate
from pipeline.records.indicators import IndicatorCurve
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import chosen_method
from pipeline.report.page.charts.layout import Height, trace
from pipeline.verdict.phrases import method_label

HEIGHT = 170
EDGE = 8  # pixels above and below the axis, for marks
NEEDED = ("calibration", "selective")  # indicators, in the order of the pictures
MARKED = (0.25, 0.5, 0.75, 1.0)  # coverages that can be pointed at

Kind = Literal["group", "all"]


@dataclass(frozen=True)
class CurvePoint:
    x: str  # percent of the width
    y: float  # pixels
    y_low: float
    y_high: float
    tip: str


@dataclass(frozen=True)
class CurveLine:
    kind: Kind
    position: int  # its mark
    points: str
    band: str  # the interval's outline
    marks: list[CurvePoint]


@dataclass(frozen=True)
class CurvePanel:
    """One method."""

    method: str
    lines: list[CurveLine]


@dataclass(frozen=True)
class CurveFigure:
    """One picture of all methods on the same axes."""

    name: str  # the indicator's
    title: str
    says: str
    across: str  # what the horizontal axis is
    panels: list[CurvePanel]
    widths: list[tuple[str, float, str]]  # percent of the width, shares, where their text lies
    heights: list[tuple[float, float]]  # pixels and shares
    diagonal: str  # right as often as it says


@dataclass(frozen=True)
class Reliability:
    group: str  # the one that pays; empty: only all images are drawn
    note: str
    height: int
    figures: list[CurveFigure]


Known = dict[str, dict[Kind, IndicatorCurve]]


def reliability(report: Report) -> Reliability | None:
    """Of the baseline and the chosen method; None where neither has a curve."""
    methods = [m for m in (report.verdict.baseline, chosen_method(report)) if m and m in report.indicators]
    known = [{m: own for m in methods if (own := _curves(report, m, name))} for name in NEEDED]
    if not any(known):
        return None
    makers: list[Callable[[Report, Known], CurveFigure]] = [_by_confidence, _by_coverage]
    figures = [make(report, own) for make, own in zip(makers, known, strict=True) if own]
    has_group = any("group" in own for found in known for own in found.values())
    return Reliability(_group_name(report) if has_group else "", _note(report, methods), HEIGHT, figures)


def _curves(report: Report, method: str, name: str) -> dict[Kind, IndicatorCurve]:
    found = report.indicators[method].find(name)
    harmed = report.verdict.harmed_group
    curves: dict[Kind, IndicatorCurve] = {}
    for curve in found.curves if found else []:
        if curve.index is None:
            curves["all"] = curve
        elif harmed is not None and curve.index == harmed.index:
            curves["group"] = curve
    return curves


def _group_name(report: Report) -> str:
    harmed = report.verdict.harmed_group
    return harmed.name if harmed else ""


def _note(report: Report, methods: list[str]) -> str:
    """Curves take each image as one; images of one scene or patient are fewer than they count."""
    estimates = [
        e for m in methods for name in NEEDED if (i := report.indicators[m].find(name)) for e in i.groups
    ]
    by_source = any(e.n_sources is not None for e in estimates)
    limit = "; images of one source are taken as separate, so it is too narrow" if by_source else ""
    return f"Each interval stands for itself and counts images, however many networks answered{limit}."


# --- how often it is right ------------------------------------------------------------------


def _by_confidence(report: Report, known: Known) -> CurveFigure:
    curves = [curve for own in known.values() for curve in own.values()]
    left = min(math.floor(10 * min(x for curve in curves for x in curve.x)) / 10, 0.9)
    up = Height(0.0, 1.0, EDGE, HEIGHT - EDGE)

    def across(x: float) -> float:
        return min(max((x - left) / (1 - left), 0.0), 1.0)

    return CurveFigure(
        name="calibration",
        title=_finding(report, known),
        says="How often it is right, by how sure it is: below the dotted line it is surer than it is right",
        across="how sure it is",
        panels=[
            CurvePanel(m, [_sure_line(report, m, kind, own[kind], across, up) for kind in _kinds(own)])
            for m, own in known.items()
        ],
        widths=_ticks(across, left),
        heights=[(up.at(v), v) for v in (0.0, 0.5, 1.0)],
        diagonal=trace([(across(v), up.at(v)) for v in (left, 1.0)]),
    )


def _ticks(across: Callable[[float], float], left: float) -> list[tuple[str, float, str]]:
    sides = ("start", "middle", "end")
    values = (left, (left + 1) / 2, 1.0)
    return [(f"{100 * across(v):.2f}%", v, side) for v, side in zip(values, sides, strict=True)]


def _sure_line(
    report: Report,
    method: str,
    kind: Kind,
    curve: IndicatorCurve,
    across: Callable[[float], float],
    up: Height,
) -> CurveLine:
    marks = [
        _mark(
            curve,
            i,
            across,
            up,
            f"{_who(report, method, kind)}: where it is {percent(curve.x[i])} sure it is right in "
            f"{percent(curve.y[i])}",
        )
        for i in range(len(curve.x))
    ]
    return CurveLine(kind, _position(kind), _trace(curve, across, up), "", marks)


def _finding(report: Report, known: Known) -> str:
    """Whether the baseline is surer than it is right, by the interval of that difference."""
    method, own = next(iter(known.items()))
    found = report.indicators[method].find("overconfidence")
    harmed = report.verdict.harmed_group
    estimate: Estimate | None
    if "group" in own and harmed is not None:
        estimate = next((g for g in found.groups if g.index == harmed.index), None) if found else None
        where = f"on {quoted(harmed.name, 40)}"
    else:
        estimate, where = found.overall if found else None, "over all images"
    label = method_label(method)
    if estimate is None:
        return f"How often {label} is right, by how sure it is"
    if estimate.low > 0:
        return f"{label} is surer than it is right {where}"
    if estimate.high < 0:
        return f"{label} is right more often than it says {where}"
    return f"{label} is not shown to be surer than it is right {where}"


# --- errors among the surest answers --------------------------------------------------------


def _by_coverage(report: Report, known: Known) -> CurveFigure:
    curves = [curve for own in known.values() for curve in own.values()]
    top = min(math.ceil(10 * max([*_ends(curves), 0.1])) / 10, 1.0)
    up = Height(0.0, top, EDGE, HEIGHT - EDGE)
    return CurveFigure(
        name="selective",
        title="Errors among the surest answers",
        says="Error rate by the share of images that it answers, the surest first: "
        "a level line says that being sure tells nothing",
        across="share of images answered",
        panels=[
            CurvePanel(m, [_risk_line(report, m, kind, own[kind], up) for kind in _kinds(own)])
            for m, own in known.items()
        ],
        widths=_ticks(lambda x: x, 0.0),
        heights=[(up.at(v), v) for v in (0.0, top / 2, top)],
        diagonal="",
    )


def _ends(curves: list[IndicatorCurve]) -> list[float]:
    """Upper ends from a tenth of the images on: what a handful of answers allows would flatten the rest."""
    return [high for curve in curves for x, high in zip(curve.x, curve.high, strict=True) if x >= 0.1]


def _risk_line(report: Report, method: str, kind: Kind, curve: IndicatorCurve, up: Height) -> CurveLine:
    distances = np.abs(np.subtract.outer(MARKED, curve.x))
    at = np.unique(distances.argmin(axis=1)).tolist()
    marks = [
        _mark(
            curve,
            i,
            lambda x: x,
            up,
            f"{_who(report, method, kind)}: of the surest {percent(curve.x[i], 0)} of its answers "
            f"{percent(curve.y[i])} are wrong",
        )
        for i in at
    ]
    outline = [*zip(curve.x, curve.high, strict=True), *reversed([*zip(curve.x, curve.low, strict=True)])]
    band = trace([(x, up.at(y)) for x, y in outline])
    return CurveLine(kind, _position(kind), _trace(curve, lambda x: x, up), band, marks)


# --- both -----------------------------------------------------------------------------------


def _kinds(own: dict[Kind, IndicatorCurve]) -> list[Kind]:
    """The group last: it lies on top."""
    return sorted(own)


def _position(kind: Kind) -> int:
    return 1 if kind == "group" else 0


def _trace(curve: IndicatorCurve, across: Callable[[float], float], up: Height) -> str:
    return trace([(across(x), up.at(y)) for x, y in zip(curve.x, curve.y, strict=True)])


def _who(report: Report, method: str, kind: Kind) -> str:
    where = quoted(_group_name(report), 40) if kind == "group" else "all images"
    return f"{method_label(method)}, {where}"


def _mark(
    curve: IndicatorCurve, i: int, across: Callable[[float], float], up: Height, says: str
) -> CurvePoint:
    """Point i of a curve, told with its interval."""
    interval = f"95% interval {percent(curve.low[i])} to {percent(curve.high[i])}, n = {curve.n[i]:,}"
    return CurvePoint(
        x=f"{100 * across(curve.x[i]):.2f}%",
        y=up.at(curve.y[i]),
        y_low=up.at(curve.low[i]),
        y_high=up.at(curve.high[i]),
        tip=f"{says} ({interval})",
    )
