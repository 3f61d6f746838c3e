"""Horizontal axes that rows share, and strengths of colors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.records.base import Estimate


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


def share_scale(estimates: Iterable[Estimate]) -> Scale:
    """From 0 to the next multiple of 10 % above every interval."""
    highest = max((e.high for e in estimates if math.isfinite(e.high)), default=0.0)
    return _scale(0.0, min(max(math.ceil(highest * 10) / 10, 0.1), 1.0))


def change_scale(estimates: Iterable[Estimate]) -> Scale:
    """Around zero, wide enough for every interval and never narrower than 5 points a side."""
    known = [e for e in estimates if math.isfinite(e.low) and math.isfinite(e.high)]
    low = min([e.low for e in known], default=0.0)
    high = max([e.high for e in known], default=0.0)
    return _scale(min(low, -0.05), max(high, 0.05))


def number_scale(values: Iterable[float | None]) -> Scale:
    """Plain numbers with zero on the axis."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    return _scale(min([0.0, *known]), max([0.1, *known]))


def _scale(low: float, high: float) -> Scale:
    steps = [1, 2, 5, 10] if high - low < 0.2 else [1, 2, 2.5, 5, 10]  # whole percents
    from matplotlib.ticker import MaxNLocator  # late: the index of all reports has no such axis

    ticks = MaxNLocator(nbins=4, steps=steps).tick_values(low, high)
    inside = tuple(round(float(t), 6) for t in ticks if low - 1e-9 <= t <= high + 1e-9)
    return Scale(low=low, high=high, ticks=inside)


def heat_percent(value: float, largest: float) -> int:
    """Strength of a heat map cell's color, 0 to 100, for a value on a scale symmetric about zero."""
    if not (math.isfinite(value) and largest > 0):
        return 0
    return round(100 * min(abs(value) / largest, 1.0))
