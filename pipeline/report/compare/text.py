"""A comparison as a table for the terminal."""

from __future__ import annotations

from pipeline.core.words import DASH, align, join_names, p_text, percent, points, printable
from pipeline.report.compare.reports import LABELS, Comparison, Difference, MethodPair, SideInfo
from pipeline.verdict.phrases import SAME_VERDICT, TOO_FEW, method_label, points_interval

_HEAD = ("", "first", "second", "points", "95% interval", "n", "p", "Holm")


def format_comparison(comparison: Comparison) -> str:
    """Plain text: one table per pair of methods, then the rungs whose answer changed."""
    parts = [_format_pair(pair) for pair in comparison.pairs]
    return "\n\n".join([*parts, _format_rungs(comparison)]) + "\n"


def _format_pair(pair: MethodPair) -> str:
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [_cells(LABELS[row.name], row) for row in pair.overall]
    rows += [_cells(printable(row.name), row) for row in pair.groups]
    notes = [printable(pair.pairing, 400)]
    alone = [LABELS[row.name].lower() for row in pair.overall if not row.paired]
    if pair.paired and alone:
        notes.append(f"Not paired: {join_names(alone)}.")
    for which, names in (("first", pair.only_first), ("second", pair.only_second)):
        if names:
            listed = ", ".join(printable(name) for name in names[:6])
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            notes.append(f"Only in the {which}: {listed}{more}.")
    title = [f"first:  {_side(pair.first)}", f"second: {_side(pair.second)}"]
    return "\n".join([*title, *notes, "", align(rows)])


def _side(side: SideInfo) -> str:
    seeds = f"{len(side.seeds)} seed{'s' if len(side.seeds) != 1 else ''}"
    parts = (printable(side.source, 200), side.dataset, method_label(side.method), seeds, side.created[:10])
    return " | ".join(part for part in parts if part)


def _cells(label: str, row: Difference) -> tuple[str, ...]:
    first, second = percent(row.first.value), percent(row.second.value)
    n = f"{row.difference.n:,}"
    if not row.difference.n:
        return (label, first, second, DASH, "no images", n, DASH, DASH)
    return (
        label,
        first,
        second,
        points(row.difference.value),
        points_interval(row.difference),
        n,
        _p(row.p_value),
        _p(row.p_holm) if row.sufficient else TOO_FEW,
    )


def _p(value: float | None) -> str:
    return DASH if value is None else p_text(value).removeprefix("p ").removeprefix("= ")


def _format_rungs(comparison: Comparison) -> str:
    if not comparison.changed_rungs:
        return f"Verdict: {SAME_VERDICT.format(comparison.n_rungs)}"
    changes = [
        f"  {change.rung.replace('_', ' ')}: {change.first} -> {change.second}"
        for change in comparison.changed_rungs
    ]
    return "\n".join(["Verdict, changed rungs:", *changes])
