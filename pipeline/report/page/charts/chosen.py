"""Which method the charts show beside the baseline, and the one interval that a group's accuracy has."""

from __future__ import annotations

import math

from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import MethodComparison
from pipeline.records.report import Report


def chosen_comparison(report: Report) -> MethodComparison | None:
    """The method that "does it fix it" speaks of, against the baseline; None where none was compared."""
    rung = next((rung for rung in report.verdict.rungs if rung.rung == "fixed_by"), None)
    chosen = report.verdict.recommendation.chosen
    against = [c for c in report.verdict.comparisons if c.baseline == report.verdict.baseline]
    told = [c for c in against if c.method == chosen]
    told += [c for c in against if rung is not None and c.gain == rung.estimate]
    return next((c for c in [*told, *against] if c.method in report.methods), None)


def chosen_method(report: Report) -> str | None:
    """Its name."""
    found = chosen_comparison(report)
    return found.method if found else None


def group_accuracy(report: Report, method: str, group: int) -> GroupEstimate:
    """A group's accuracy on test, with the one interval that is printed."""
    return report.verdict.methods[method].groups[group]


def is_measured(estimate: GroupEstimate) -> bool:
    """Whether there is anything to draw."""
    return estimate.n > 0 and math.isfinite(estimate.value)
