"""Groups beside each other, in the order in which people look for trouble."""

from __future__ import annotations

from pipeline.records.base import GroupEstimate
from pipeline.records.report import Report


def order_groups(report: Report) -> list[tuple[int, dict[str, GroupEstimate]]]:
    """Group index and its accuracy per method, the baseline's worst first.

    Groups with too few images come last, unless they are clearly worse than the average all the same.
    """
    rows = [
        (i, {m: report.verdict.methods[m].groups[i] for m in report.methods})
        for i in range(len(report.dataset.groups))
    ]
    first = next(iter(report.methods), "")
    clear = report.verdict.methods[first].clearly_worse if first else []

    def order(row: tuple[int, dict[str, GroupEstimate]]) -> tuple[bool, float]:
        known = row[1].get(first)
        is_last = known is None or not (known.sufficient or known.index in clear)
        return (is_last, known.value if known else 0.0)

    return sorted(rows, key=order)
