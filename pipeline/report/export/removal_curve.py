"""Figure of images left out: the worst group's accuracy over their number."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from pipeline.records.cause import RemovalCurve
from pipeline.records.training import Removal
from pipeline.report.page.inline_svg import DASHES, INK, SERIES, style_axes
from pipeline.verdict.phrases import REMOVAL_LABELS

REMOVAL_MARKERS = {"repair": "o", "random": "s", "balanced": "^", "suspected": "D"}


def plot_removal(axes: Axes, removal: Removal, curves: Sequence[RemovalCurve]) -> None:
    """Worst-group accuracy over images left out: lines are means over seeds, small marks the seeds.

    Line i has color `--series-i` and dash pattern `DASHES[i]`; the vertical line is the chosen size.
    """
    style_axes(axes, "Training images left out", "Worst group, validation")
    for curve in curves:
        i = list(REMOVAL_LABELS).index(curve.kind)
        (line,) = axes.plot(
            curve.n_removed, curve.mean, color=SERIES[i], linewidth=1.8, marker=REMOVAL_MARKERS[curve.kind]
        )
        line.set_markersize(5)
        if DASHES[i]:
            line.set_dashes(DASHES[i])
    for point in removal.points:
        i = list(REMOVAL_LABELS).index(point.kind)
        axes.plot(
            point.n_removed,
            point.val_worst,
            color=SERIES[i],
            marker=REMOVAL_MARKERS[point.kind],
            markersize=3.5,
            markerfacecolor="none",
            alpha=0.7,
        )
    axes.axvline(removal.chosen, color=INK, linewidth=1.2, dashes=(2, 2))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
