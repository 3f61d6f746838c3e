"""Where marks and labels go: heights in pixels, lines in shares, labels that keep off each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Height:
    """A vertical axis in pixels, the highest value on top."""

    low: float
    high: float
    top: float
    bottom: float

    def at(self, value: float) -> float:
        """Pixels from the top, clipped to the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.bottom - share * (self.bottom - self.top), 1)


def accuracy_height(values: Sequence[float], top: float, bottom: float) -> Height:
    """From the last multiple of 10 % below the lowest value to 100 %."""
    lowest = min((v for v in values if math.isfinite(v)), default=0.0)
    return Height(min(max(math.floor(lowest * 10) / 10, 0.0), 0.9), 1.0, top, bottom)


def dodge(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart that together lie as near as can be to `wanted`, in its order.

    They stay within `low` to `high` where there is room for all, and keep the gap where there is none.
    """
    if not wanted:
        return []
    from scipy.optimize import isotonic_regression  # late: it takes half a second to load

    order = np.argsort(np.asarray(wanted), kind="stable")
    steps = gap * np.arange(len(wanted))
    free = isotonic_regression(np.asarray(wanted, float)[order] - steps).x
    placed = np.empty(len(wanted))
    placed[order] = np.clip(free, low, max(low, high - steps[-1])) + steps
    return [round(float(y), 1) for y in placed]


def trace(points: Sequence[tuple[float, float | None]]) -> str:
    """Points as `points` of polylines would have them, in percent of a box 100 wide; gaps are left out.

    Args:
        points: x as a share of the width, y in pixels or None.
    """
    return " ".join(f"{100 * x:.2f},{y:.1f}" for x, y in points if y is not None)
