"""Verdicts out of parts: each part is an interval that was said beforehand where it must lie."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.records.base import Estimate
from studies.frame.study import Verdict


def above(estimate: Estimate, threshold: float = 0.0) -> Verdict:
    """Supported where the whole interval lies above the threshold, refuted where it lies below.

    >>> above(Estimate(value=2, low=1, high=3, n=9)), above(Estimate(value=2, low=-1, high=5, n=9))
    ('supported', 'not shown')
    """
    if estimate.low > threshold:
        return "supported"
    return "refuted" if estimate.high < threshold else "not shown"


def all_of(parts: Sequence[Verdict]) -> Verdict:
    """Supported where all parts are; refuted where one is."""
    if "refuted" in parts:
        return "refuted"
    return "supported" if all(part == "supported" for part in parts) else "not shown"


def ratio(log: Estimate) -> Estimate:
    """Of a difference of logarithms.

    >>> ratio(Estimate(value=0.0, low=0.0, high=0.0, n=2)).value
    1.0
    """
    value, low, high = (math.exp(end) for end in (log.value, log.low, log.high))
    return Estimate(value=value, low=low, high=high, n=log.n)


def told(estimate: Estimate, digits: int = 2, *, percent: bool = False) -> str:
    """`0.31 (0.22 to 0.40)`; in percent, or points of it, where asked."""
    factor, digits = (100, max(digits - 1, 0)) if percent else (1, digits)
    value, low, high = (f"{factor * x:.{digits}f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"
