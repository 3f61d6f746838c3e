"""Charts of studies as inline SVG that takes its colors from the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.report.page.inline_svg import DASHES, INK, SERIES, SOFT, Tip, draw_inline, style_axes
from studies.frame.study import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "D", "s", "^", "v", "P")  # so that color is never the only cue
_MOST_MARKED = 30  # points of a line that are marked one by one


def draw(chart: Chart, name: str) -> str:
    """`<svg>` of a chart; `name` makes its ids unique within the page."""
    return draw_inline(name, lambda axes: _fill(axes, chart), size=(6.4, 3.6))


def _fill(axes: Axes, chart: Chart) -> list[Tip]:
    tips = []
    for i, line in enumerate(chart.lines):
        color = SERIES[i % len(SERIES)]
        (drawn,) = axes.plot(line.x, line.y, color=color, linewidth=1.8)
        if len(line.x) <= _MOST_MARKED:
            drawn.set_marker(MARKERS[i % len(MARKERS)])
            drawn.set_markersize(4.5)
        if chart.points:
            drawn.set_linestyle("none")
            drawn.set_marker(MARKERS[i % len(MARKERS)])
        elif dashes := DASHES[i % len(DASHES)]:
            drawn.set_dashes(dashes)
        if line.low is not None and line.high is not None:
            axes.fill_between(line.x, line.low, line.high, color=color, alpha=0.16, linewidth=0)
        tips += [
            Tip(x, y, f"{line.name}: {x:.4g}, {shown(y, chart.share)}")
            for x, y in zip(line.x, line.y, strict=True)
            if len(line.x) <= _MOST_MARKED
        ]
    for mark in chart.marks:
        axes.axvline(mark.x, color=SOFT, linewidth=1, linestyle=":")
        axes.annotate(
            mark.text, (mark.x, 1), xycoords=("data", "axes fraction"), xytext=(3, -3),
            textcoords="offset points", va="top", fontsize=11, color=INK,
        )  # fmt: skip
    style_axes(axes, chart.x_label, chart.y_label)
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    if chart.share:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return tips


def shown(value: float, share: bool) -> str:
    return f"{100 * value:.1f} %" if share else f"{value:.4g}"
