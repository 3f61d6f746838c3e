"""Plot of what retraining did: predicted against actual changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.core.words import shorten, signed
from pipeline.records.attribution import GroupChange
from pipeline.report.page.inline_svg import LINE, SERIES, SOFT, Tip, draw_inline, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_changes(changes: Sequence[GroupChange], worst: int | None, name: str) -> str:
    """`plot_changes` as an `<svg>`; `name` makes ids unique within the page."""
    return draw_inline(name, lambda axes: plot_changes(axes, changes, worst))


def plot_changes(axes: Axes, changes: Sequence[GroupChange], worst: int | None) -> list[Tip]:
    """One mark per thinned training group and test group; filled diamonds are the worst test group.

    On the dashed line a change is what was predicted; without calibrated sizes there is no such line.
    """
    from matplotlib.ticker import MaxNLocator  # late: without retrainings nothing is drawn

    has_sizes = all(c.calibrated is not None for c in changes)
    values = [v for c in changes for v in (_predicted(c), c.low, c.high)]
    ends = [min(0.0, *values), max(0.0, *values)]
    predicted = "Predicted by scores and other retrainings" if has_sizes else "Sum of scores"
    style_axes(axes, predicted, "Change after retraining")
    if has_sizes:
        axes.axline((0, 0), slope=1, color=SOFT, linewidth=1, dashes=(4, 3))
    for line in (axes.axhline, axes.axvline):
        line(0, color=LINE, linewidth=1.2)
    for change in sorted(changes, key=lambda c: c.test_index == worst):  # the worst on top
        is_worst = change.test_index == worst
        color = SERIES[0] if is_worst else SERIES[1]
        axes.plot([_predicted(change)] * 2, [change.low, change.high], color=color, linewidth=1, alpha=0.5)
        axes.plot(
            _predicted(change),
            change.actual,
            color=color,
            marker="D" if is_worst else "o",
            markersize=5,
            markerfacecolor=color if is_worst else "none",
        )
    pad = 0.05 * (ends[1] - ends[0] or 1.0)
    axes.set_ylim(ends[0] - pad, ends[1] + pad)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6))
    return [Tip(_predicted(c), c.actual, _change_words(c)) for c in changes]


def _predicted(change: GroupChange) -> float:
    return change.calibrated.value if change.calibrated else change.predicted


def _change_words(change: GroupChange) -> str:
    told = "predicted" if change.calibrated else "scores"
    return (
        f"{shorten(change.train_group, 30)} thinned, {shorten(change.test_group, 30)} tested: {told} "
        f"{signed(_predicted(change))}, actual {signed(change.actual)}"
    )
