"""Means over the seeds of a method.

Shape legend: S seeds.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import t_isf


def mean_over_seeds(
    values_S: Float64Array, *, beside: float = 0.0, confidence: float = 0.95
) -> Estimate | None:
    """Mean with Student's interval for new seeds; `n` counts seeds. None below two seeds.

    Args:
        beside: half-width of what is uncertain beside the seeds, added as squares (Graybill and Wang 1980).

    >>> found = mean_over_seeds(np.array([1.0, 2.0, 3.0]))
    >>> round(found.low, 3), round(found.high, 3)
    (-0.484, 4.484)
    """
    n = len(values_S)
    if n < 2:
        return None
    error = float(values_S.std(ddof=1)) / math.sqrt(n)
    half = math.hypot(float(t_isf((1 - confidence) / 2, n - 1)) * error, beside)
    value = float(np.mean(values_S))
    return Estimate(value=value, low=value - half, high=value + half, n=n)
