"""A comparison as Markdown, for pull requests."""

from __future__ import annotations

from pipeline.core.words import DASH, count, p_text, percent, points
from pipeline.report.compare.reports import LABELS, Comparison, Difference, MethodPair, SideInfo
from pipeline.report.markdown import escape, escape_name, write_table
from pipeline.verdict.phrases import (
    SAME_VERDICT,
    STATUS_WORDS,
    TOO_FEW,
    method_label,
    percent_interval,
    points_interval,
)

_HEAD = ("accuracy", "first", "second", "difference, points", "95% interval", "n", "p", "p, Holm")
_ROWS = 60  # groups shown: a comment on a pull request holds 65,536 characters
_LISTED = 6


def markdown_comparison(comparison: Comparison) -> str:
    """One table per pair of methods, then the rungs whose answer changed."""
    parts = ["## Two audits compared", "Accuracy on test images; differences are second minus first."]
    parts += [part for pair in comparison.pairs for part in _describe_pair(pair)]
    return "\n\n".join([*parts, "### Verdict", _describe_rungs(comparison)]) + "\n"


def _describe_pair(pair: MethodPair) -> list[str]:
    methods = dict.fromkeys([pair.first.method, pair.second.method])
    title = " and ".join(escape_name(method_label(method)) for method in methods)
    sides = f"- first: {_side(pair.first)}\n- second: {_side(pair.second)}"
    rows = [_cells(LABELS[row.name], row) for row in pair.overall]
    rows += [_cells(escape_name(row.name), row) for row in pair.groups[:_ROWS]]
    parts = [f"### {title}", sides, escape(pair.pairing), write_table(_HEAD, rows, right=range(1, 8))]
    if len(pair.groups) > _ROWS:
        parts.append(f"{count(len(pair.groups) - _ROWS)} more groups are in the comparison's JSON.")
    for which, names in (("first", pair.only_first), ("second", pair.only_second)):
        if names:
            more = f" and {count(len(names) - _LISTED)} more" if len(names) > _LISTED else ""
            parts.append(f"Only in the {which}: {', '.join(map(escape_name, names[:_LISTED]))}{more}.")
    return parts


def _side(side: SideInfo) -> str:
    seeds = f"{len(side.seeds)} seed{'' if len(side.seeds) == 1 else 's'}"
    names = [escape_name(side.source, 120), escape_name(method_label(side.method))]
    return ", ".join(filter(None, [*names, seeds, escape(side.created[:10])]))


def _cells(label: str, row: Difference) -> list[str]:
    both = [f"{percent(e.value)} {percent_interval(e)}" for e in (row.first, row.second)]
    if not row.difference.n:
        return [label, *both, DASH, "no images", "0", DASH, DASH]
    value = points(row.difference.value) + ("" if row.paired else " (unpaired)")
    interval, n = points_interval(row.difference), count(row.difference.n)
    return [label, *both, value, interval, n, _p(row.p_value), _p(row.p_holm) if row.sufficient else TOO_FEW]


def _p(value: float | None) -> str:
    return DASH if value is None else escape(p_text(value).removeprefix("p ").removeprefix("= "))


def _describe_rungs(comparison: Comparison) -> str:
    if not comparison.changed_rungs:
        same = SAME_VERDICT.format(comparison.n_rungs)
        return same[0].upper() + same[1:]
    rows = [
        (change.rung.replace("_", " "), STATUS_WORDS[change.first], STATUS_WORDS[change.second])
        for change in comparison.changed_rungs
    ]
    return write_table(("rung", "first", "second"), rows)
