"""What a study is: a claim that is stated before it is tried, and what was found.

Shape legend: S seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.parallel.task import Arguments, Task
from pipeline.records.base import Estimate, Record
from pipeline.settings.base import Settings
from pipeline.statistics.means import estimate_mean

Verdict = Literal["supported", "refuted", "not shown"]
Trainings = Callable[[Task, Mapping[str, Arguments]], dict[str, Arrays]]  # see `runs.side_by_side`


class Number(Record):
    """A number that the verdict rests on; `estimate.n` counts what it is an average of."""

    title: str
    estimate: Estimate
    seeds: int = Field(ge=1)
    unit: Literal["share", "number"] = "number"  # share: shown in percent


class Line(Record):
    """A line of a chart, with an interval at every point where `low` and `high` are given."""

    name: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None


class Mark(Record):
    """A vertical line of a chart that says where something was expected."""

    x: float
    text: str


class Chart(Record):
    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    marks: list[Mark] = Field(default_factory=list)
    log_x: bool = False
    log_y: bool = False
    share: bool = False  # y is shown in percent
    points: bool = False  # each line is a cloud of points: nothing joins them


class Finding(Record):
    """What a study found; `sentence` says it with its numbers, in plain words."""

    verdict: Verdict
    sentence: str
    numbers: list[Number]
    charts: list[Chart]
    notes: list[str] = Field(default_factory=list)  # what limits the finding


class Result(Record):
    """`studies/out/<name>.json`."""

    name: str
    settings: dict[str, Any]  # as they were: what decides the result
    versions: dict[str, str]
    finding: Finding


@dataclass(frozen=True)
class Study:
    """One textbook claim. `run` is told its settings and how to train side by side."""

    name: str  # its file's name, and its section of params.yaml
    title: str
    claim: str  # what is to be shown, with its thresholds, written before the run
    refuted_by: str  # what would have refuted it
    source: str  # the publication that the claim is of
    settings: type[Settings]
    run: Callable[[Any, Trainings], Finding]


def over_seeds(
    values_S: Sequence[float] | Float64Array, *, least: float = -np.inf, most: float = np.inf
) -> Estimate:
    """Mean with Student's 95 % interval for new seeds, in [least, most]; NaN (not measured) is left out.

    Seeds that agree to the last digit, and one alone, have an interval of no width.
    """
    values_S = np.asarray(values_S, np.float64)
    value = float(np.nanmean(values_S))
    if len(values_S) == 1 or np.nanmax(values_S) == np.nanmin(values_S):
        return Estimate(value=value, low=value, high=value, n=int((~np.isnan(values_S)).sum()))
    found = estimate_mean(values_S[None], least=least, most=most)
    assert found is not None
    return found


def geometric_over_seeds(values_S: Sequence[float] | Float64Array) -> Estimate:
    """Geometric mean of positive numbers, with Student's interval of their logarithms."""
    found = over_seeds(np.log(np.asarray(values_S, np.float64)))
    value, low, high = (float(np.exp(end)) for end in (found.value, found.low, found.high))
    return Estimate(value=value, low=low, high=high, n=found.n)


def line_over_seeds(
    name: str,
    x: Sequence[float] | npt.NDArray[Any],
    values_SX: Float64Array,
    *,
    log: bool = False,
    least: float = -np.inf,
    most: float = np.inf,
) -> Line:
    """Means over seeds with their intervals; `log`: geometric ones, for axes that are logarithmic."""
    columns = np.asarray(values_SX, np.float64).T
    found = [geometric_over_seeds(c) if log else over_seeds(c, least=least, most=most) for c in columns]
    return Line(
        name=name,
        x=[float(v) for v in x],
        y=[e.value for e in found],
        low=[e.low for e in found],
        high=[e.high for e in found],
    )
