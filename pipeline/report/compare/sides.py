"""The two that are compared, with what their models said about the test images.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.report import Report


@dataclass(frozen=True)
class Scored:
    """What one method's models said about the test images."""

    seeds: list[int]
    ids_N: Int64Array
    labels_N: Int64Array
    groups_N: Int64Array
    correct_SN: BoolArray
    sources_N: Int64Array | None = None  # scene or patient of each image


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    source: str  # as the user named it
    report: Report
    method: str
    scored: Scored | None  # None where the predictions are not at hand

    @property
    def metrics(self) -> EvaluationResult:
        return self.report.methods[self.method]
