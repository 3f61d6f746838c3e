"""Which method the charts show beside the baseline, what it costs, and groups' one interval."""

from __future__ import annotations

import math

from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import MethodComparison
from pipeline.records.report import Report


def chosen_comparison(report: Report) -> MethodComparison | None:
    """The method that validation chose against the baseline; None where none was compared.

    Where validation chose none: the one that "does it fix it" speaks of, else the first of the settings.
    """
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
    """A group's accuracy on test with the interval that is printed wherever it is spoken of."""
    return report.verdict.methods[method].groups[group]


def losses(report: Report, found: MethodComparison) -> list[GroupEstimate]:
    """Changes of groups that lose, the largest first; of a method that was not chosen by the intervals."""
    told = report.verdict.recommendation
    if found.method == told.chosen:
        return told.falls
    lost = [
        GroupEstimate(**group.gain.model_dump(), index=group.index, name=group.name)
        for group in found.groups
        if group.sufficient and group.gain.high < 0
    ]
    return sorted(lost, key=lambda group: group.value)


def is_measured(estimate: GroupEstimate) -> bool:
    """Whether there is anything to draw."""
    return estimate.n > 0 and math.isfinite(estimate.value)
