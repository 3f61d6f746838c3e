"""A comparison as a table for the terminal."""

from __future__ import annotations

from pipeline.core.words import DASH, align, join_names, percent, points, printable
from pipeline.report.compare.reports import LABELS, Comparison, Difference, MethodPair, SideInfo
from pipeline.report.compare.words import INTERVALS, finding, verdict_sentence
from pipeline.verdict.phrases import TOO_FEW, method_label, points_interval

_NAME = 24  # characters of a side's name over a column


def format_comparison(comparison: Comparison) -> str:
    """Plain text: one table per pair of methods, then the rungs whose answer changed."""
    parts = [_format_pair(pair) for pair in comparison.pairs]
    return "\n\n".join([*parts, INTERVALS, _format_rungs(comparison)]) + "\n"


def _format_pair(pair: MethodPair) -> str:
    names = [printable(side.name, _NAME) for side in (pair.first, pair.second)]
    rows: list[tuple[str, ...]] = [("", *names, "points", "95% interval", "n", "")]
    rows += [_cells(LABELS[row.name], row) for row in pair.overall]
    rows += [_cells(printable(row.name), row) for row in pair.groups]
    notes = [printable(finding(pair), 400), printable(pair.pairing, 400)]
    alone = [LABELS[row.name].lower() for row in pair.overall if not row.paired]
    if pair.paired and alone:
        notes.append(f"Not paired: {join_names(alone)}.")
    worst = pair.worst
    if worst.first_group != worst.second_group:
        notes.append(
            f"The worst group is {printable(str(worst.first_group))} in {names[0]}, "
            f"{printable(str(worst.second_group))} in {names[1]}."
        )
    for name, groups in zip(names, (pair.only_first, pair.only_second), strict=True):
        if groups:
            listed = ", ".join(printable(group) for group in groups[:6])
            more = f" and {len(groups) - 6} more" if len(groups) > 6 else ""
            notes.append(f"Without a partner, only in {name}: {listed}{more}.")
    width = max(map(len, names))
    sides = [
        f"{name:<{width}} = {_side(s)}" for name, s in zip(names, (pair.first, pair.second), strict=True)
    ]
    return "\n".join([*sides, *notes, "", align(rows)])


def _side(side: SideInfo) -> str:
    seeds = f"{len(side.seeds)} seed{'s' if len(side.seeds) != 1 else ''}"
    parts = (printable(side.source, 200), side.dataset, method_label(side.method), seeds, side.created[:10])
    return " | ".join(part for part in parts if part)


def _cells(label: str, row: Difference) -> tuple[str, ...]:
    first, second = percent(row.first.value), percent(row.second.value)
    n = f"{row.difference.n:,}"
    if not row.difference.n:
        return (label, first, second, DASH, "no images", n, "")
    return (
        label,
        first,
        second,
        points(row.difference.value),
        points_interval(row.difference),
        n,
        "" if row.sufficient else TOO_FEW,
    )


def _format_rungs(comparison: Comparison) -> str:
    changes = [
        f"  {change.question} {change.first} -> {change.second}" for change in comparison.changed_rungs
    ]
    return "\n".join([f"Verdict: {verdict_sentence(comparison)}", *changes])
