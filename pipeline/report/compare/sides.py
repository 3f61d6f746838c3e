"""The two that are compared: what their models said about the test images, and what people call them.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.report import Report
from pipeline.records.verdict import MethodVerdict
from pipeline.verdict.phrases import method_label


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

    @property
    def verdict(self) -> MethodVerdict:
        return self.report.verdict.methods[self.method]

    @property
    def file(self) -> Path:
        """The report's, complete: what tells two reports of one title apart may not have been typed."""
        return Path(self.source).absolute()


def name_sides(first: Side, second: Side) -> tuple[str, str]:
    """What tells the two apart, as briefly as it can be said: their methods, their reports, or both."""
    methods = method_label(first.method), method_label(second.method)
    if first.file == second.file:
        return methods
    reports = name_reports(first, second)
    if first.method == second.method:
        return reports
    return f"{methods[0]} of {reports[0]}", f"{methods[1]} of {reports[1]}"


def name_reports(first: Side, second: Side) -> tuple[str, str]:
    """By title; of equal ones by the dataset's name; else by what differs in their paths."""
    a, b = first.report.dataset, second.report.dataset
    for names in ((a.title, b.title), (a.name, b.name)):
        if names[0] != names[1]:
            return names
    ends = zip_longest(_from_the_end(first.file), _from_the_end(second.file), fillvalue="/")
    return next((pair for pair in ends if pair[0] != pair[1]), (first.source, second.source))


def _from_the_end(file: Path) -> list[str]:
    """A path's parts, the last one first and without its ending."""
    return [file.stem, *reversed(file.parent.parts)]
