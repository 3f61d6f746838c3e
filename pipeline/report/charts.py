"""Plots as inline SVG that takes its colors from the page: legible in light, dark and print.

Names that users chose never enter a figure; legends are HTML, where escaping is certain.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.core.results import Estimate
from pipeline.report.records import Curve, Curves

# Matplotlib wants real colors; these stand for the page's variables and are swapped afterwards.
_VARIABLES = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--line)",
    **{f"#0400{i:02x}": f"var(--series-{i})" for i in range(1, 7)},
}
_INK, _SOFT, _LINE, *_SERIES = _VARIABLES

DASHES: tuple[tuple[int, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2), (4, 4), (10, 3))
MAX_CURVES = len(DASHES)


# --- interval rows ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """A horizontal axis shared by all rows of a table; positions are percent of its width."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """Position of a value, clipped to the axis, with room for a mark at both ends."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return f"{6 + 88 * share:.2f}%"


def accuracy_scale(estimates: Iterable[Estimate]) -> Scale:
    """From the last multiple of 10 % below every interval to 100 %."""
    lowest = min((e.low for e in estimates if math.isfinite(e.low)), default=0.0)
    return _scale(min(max(math.floor(lowest * 10) / 10, 0.0), 0.9), 1.0)


def change_scale(estimates: Iterable[Estimate]) -> Scale:
    """Around zero, wide enough for every interval and never narrower than 5 points a side."""
    known = [e for e in estimates if math.isfinite(e.low) and math.isfinite(e.high)]
    low = min([e.low for e in known], default=0.0)
    high = max([e.high for e in known], default=0.0)
    return _scale(min(low, -0.05), max(high, 0.05))


def _scale(low: float, high: float) -> Scale:
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    inside = tuple(round(float(t), 6) for t in ticks if low - 1e-9 <= t <= high + 1e-9)
    return Scale(low=low, high=high, ticks=inside)


def heat_percent(value: float, largest: float) -> int:
    """Strength of a heat map cell's color, 0 to 100, for a value on a scale symmetric about zero."""
    if not (math.isfinite(value) and largest > 0):
        return 0
    return round(100 * min(abs(value) / largest, 1.0))


# --- learning curves -------------------------------------------------------------------------


def draw_learning_curves(curves: Curves, shown: Sequence[str], name: str) -> str:
    """Validation accuracy per epoch as an `<svg>`: the average and the groups named in `shown`.

    Line i has color `--series-i` and dash pattern `DASHES[i]`; bands run from the lowest to the
    highest seed. `name` makes ids unique within the page.
    """
    by_name = {curve.name: curve for curve in curves.groups}
    epochs = [epoch + 1 for epoch in curves.epochs]  # people count from 1
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 9}):
        figure = Figure(figsize=(5.2, 2.9), layout="constrained")
        axes = figure.subplots()
        _draw_curve(axes, epochs, curves.average, color=_INK, dashes=(), width=2.2)
        for i, group in enumerate(shown[:MAX_CURVES]):
            if group in by_name:
                _draw_curve(axes, epochs, by_name[group], color=_SERIES[i], dashes=DASHES[i], width=1.5)
        _style_axes(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _make_inline(buffer.getvalue(), name)


def _draw_curve(
    axes: Axes, epochs: Sequence[int], curve: Curve, *, color: str, dashes: tuple[int, ...], width: float
) -> None:
    mean, low, high = (
        np.array([np.nan if v is None else v for v in values], float)
        for values in (curve.mean, curve.low, curve.high)
    )
    marker = "o" if len(epochs) == 1 else None
    (line,) = axes.plot(epochs, mean, color=color, linewidth=width, marker=marker, markersize=4)
    if dashes:
        line.set_dashes(dashes)
    if np.nanmax(np.append(high - low, 0)) > 0:
        axes.fill_between(epochs, low, high, color=color, alpha=0.09, linewidth=0)


def _style_axes(axes: Axes) -> None:
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Epoch", color=_SOFT)
    axes.set_ylabel("Validation accuracy", color=_SOFT)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.tick_params(colors=_SOFT, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_LINE)


def _make_inline(svg: str, name: str) -> str:
    """Strip what a page must not get (page-wide styles, metadata, clashing ids) and bind colors."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"<svg[^>]*viewBox=\"([^\"]+)\"[^>]*>", r'<svg viewBox="\1" aria-hidden="true">', svg, count=1
    )
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]+;?", "font-family: inherit;", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return re.sub(r">\s+<", "><", re.sub(r" \n", " ", svg)).strip()
