"""Learning curves: validation accuracy per epoch, of the average and of some groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.records.verdict import Curve, Curves
from pipeline.report.page.inline_svg import DASHES, INK, SERIES, style_axes

MAX_CURVES = len(DASHES)


def plot_learning_curves(axes: Axes, curves: Curves, shown: Sequence[int]) -> None:
    """Validation accuracy per epoch: the average and the groups of the indices `shown`.

    Line i has color `--series-i` and dash pattern `DASHES[i]`; bands run from the lowest to the
    highest seed.
    """
    epochs = [epoch + 1 for epoch in curves.epochs]  # people count from 1
    _draw_curve(axes, epochs, curves.average, color=INK, dashes=(), width=2.2)
    for i, group in enumerate(shown[:MAX_CURVES]):
        curve = curves.groups[group]
        _draw_curve(axes, epochs, curve, color=SERIES[i], dashes=DASHES[i], width=1.5)
    style_axes(axes, "Epoch", "Validation accuracy")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


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
