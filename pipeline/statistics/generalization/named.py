"""How one number is made of several images, by name: records say it in a word.

Shape legend: S networks, n images, C columns.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.types import Float64Array

Statistic = Callable[[Float64Array], float]  # of S x n x C
MEAN = "mean"  # over images and networks, of the only column
STATISTICS: dict[str, Statistic] = {}


def find_statistic(name: str) -> Statistic | None:
    """The statistic of that name; None: the mean."""
    return None if name == MEAN else STATISTICS[name]


def name_of(statistic: Statistic | None) -> str:
    """The name under which `STATISTICS` has a statistic."""
    if statistic is None:
        return MEAN
    return next(name for name, known in STATISTICS.items() if known is statistic)
