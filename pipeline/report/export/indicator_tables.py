"""Tables of how models generalize beyond accuracy."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, measured, spread, spread_group

NOT_MEASURED = "Nothing beyond accuracy was measured."


def indicator_tables(s: Report) -> list[Table]:
    """Every indicator over all images, by group and by its parts, and the group that pays beside others."""
    return [
        Table(
            "indicators",
            "Every indicator of every method: over all images (group and part empty), of each group, and of "
            "whole networks part by part, where n counts networks and chance alone reaches threshold in 5 %.",
            list(_rows(s)),
            NOT_MEASURED,
        ),
        Table(
            "generalization",
            "The group that pays beside all other images (difference) and under the recommended method "
            "(change), both toward worse; their intervals hold for all rows at once. change is of the images "
            "that both methods have a number of, after of all that the recommended one has.",
            list(_contrast_rows(s)),
            "No group is shown to pay, or nothing beyond accuracy was measured.",
        ),
    ]


def _rows(s: Report) -> Iterator[Row]:
    for method, result in s.indicators.items():
        for found in result.indicators:
            own = {"method": method, "indicator": found.name}
            if found.overall is not None:
                yield {**own, "group": None, "part": None, **spread(found.overall)}
            for group in found.groups:
                yield {**own, "group": group.name, "part": None, **spread_group(group)}
            for part in found.parts:
                where = {"group": None, "part": part.name, "threshold": part.threshold}
                yield {**own, **where, **spread(part.estimate)}


def _contrast_rows(s: Report) -> Iterator[Row]:
    told = s.verdict.generalization
    for c in told.contrasts if told else []:
        numbers = {
            "here": c.here,
            "elsewhere": c.elsewhere,
            "difference": c.difference,
            "after": c.after,
            "change": c.change,
        }
        verdicts = {"difference": c.status, "change": c.change_status}
        for row in measured(numbers):
            yield {"indicator": c.name, **row, "verdict": verdicts.get(row["measure"])}
