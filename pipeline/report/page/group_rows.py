"""Groups beside each other, in the order in which people look for trouble."""

from __future__ import annotations

from pipeline.records.base import GroupEstimate
from pipeline.report.records import ReportSummary
from pipeline.verdict.small_groups import clearly_worse


def order_groups(summary: ReportSummary) -> list[tuple[int, dict[str, GroupEstimate]]]:
    """Group index and its accuracy per method, the baseline's worst first.

    Groups with too few images come last, unless they are clearly worse than the average all the same.
    """
    by_method = {m: {g.name: g for g in method.test.groups} for m, method in summary.methods.items()}
    rows = [
        (i, {m: found[group.name] for m, found in by_method.items() if group.name in found})
        for i, group in enumerate(summary.dataset.groups)
    ]
    first = next(iter(summary.methods), "")

    clear = clearly_worse(summary.methods[first].test, summary.thresholds) if first else []
    named = {group.name for group in clear}

    def order(row: tuple[int, dict[str, GroupEstimate]]) -> tuple[bool, float]:
        known = row[1].get(first)
        is_last = known is None or not (known.sufficient or known.name in named)
        return (is_last, known.value if known else 0.0)

    return sorted(rows, key=order)
