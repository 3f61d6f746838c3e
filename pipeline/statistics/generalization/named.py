"""How one number is made of several images, by name: records say it in a word.

Shape legend: S networks, n images, C columns.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.types import Float64Array
from pipeline.statistics.generalization.calibration import ece_debiased
from pipeline.statistics.generalization.selective import area_under_risk_coverage

Statistic = Callable[[Float64Array], float]  # of S x n x C
MEAN = "mean"  # over images and networks, of the only column


def calibration_error(values_SnC: Float64Array) -> float:
    """Of columns confidence and right, the mean over networks of the error without the part of chance."""
    return float(ece_debiased(values_SnC[:, :, 0], values_SnC[:, :, 1]).mean())


def area_under_risk(values_SnC: Float64Array) -> float:
    """Of columns confidence and right, the mean over networks of the area under risk and coverage."""
    return float(area_under_risk_coverage(values_SnC[:, :, 0], values_SnC[:, :, 1]).mean())


STATISTICS: dict[str, Statistic] = {
    "calibration_error": calibration_error,
    "area_under_risk": area_under_risk,
}


def find_statistic(name: str) -> Statistic | None:
    """The statistic of that name; None: the mean."""
    return None if name == MEAN else STATISTICS[name]


def name_of(statistic: Statistic | None) -> str:
    """The name under which `STATISTICS` has a statistic."""
    if statistic is None:
        return MEAN
    return next(name for name, known in STATISTICS.items() if known is statistic)
