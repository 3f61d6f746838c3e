"""Groups beside each other, in the order in which people look for trouble."""

from __future__ import annotations

from pipeline.core.results import GroupEstimate
from pipeline.report.records import ReportSummary


def order_groups(summary: ReportSummary) -> list[tuple[int, dict[str, GroupEstimate]]]:
    """Group index and its accuracy per method, the baseline's worst first, too-few-images last."""
    by_method = {m: {g.name: g for g in method.test.groups} for m, method in summary.methods.items()}
    rows = [
        (i, {m: found[group.name] for m, found in by_method.items() if group.name in found})
        for i, group in enumerate(summary.dataset.groups)
    ]
    first = next(iter(summary.methods), "")

    def order(row: tuple[int, dict[str, GroupEstimate]]) -> tuple[bool, float]:
        known = row[1].get(first)
        return (known is None or not known.sufficient, known.value if known else 0.0)

    return sorted(rows, key=order)
