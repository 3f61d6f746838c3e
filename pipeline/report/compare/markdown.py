"""A comparison as Markdown, for pull requests."""

from __future__ import annotations

from pipeline.core.words import DASH, count, percent, points
from pipeline.report.compare.reports import LABELS, Comparison, Difference, MethodPair, SideInfo
from pipeline.report.compare.words import INTERVALS, finding, heading, title, verdict_sentence, which_group
from pipeline.report.markdown import escape, escape_name, write_table
from pipeline.verdict.phrases import STATUS_WORDS, TOO_FEW, method_label, percent_interval, points_interval

_ROWS = 60  # groups shown: a comment on a pull request holds 65,536 characters
_LISTED = 6
_NAME = 40  # characters of a side's name over a column


def markdown_comparison(comparison: Comparison) -> str:
    """One table per pair of methods, then the rungs whose answer changed."""
    names = [escape_name(name, _NAME) for name in (comparison.second, comparison.first)]
    parts = [
        f"## {escape_name(title(comparison), 120)}",
        f"Accuracy on test images; differences are {names[0]} minus {names[1]}. {INTERVALS}",
    ]
    parts += [part for pair in comparison.pairs for part in _describe_pair(pair)]
    return "\n\n".join([*parts, "### Verdict", _describe_rungs(comparison)]) + "\n"


def _describe_pair(pair: MethodPair) -> list[str]:
    names = [escape_name(side.name, _NAME) for side in (pair.first, pair.second)]
    sides = "\n".join(
        f"- {name}: {_side(s)}" for name, s in zip(names, (pair.first, pair.second), strict=True)
    )
    head = ("accuracy", *names, "difference, points", "95% interval", "n")
    rows = [_cells(_label(row), row) for row in pair.overall]
    rows += [_cells(escape_name(row.name), row) for row in pair.groups[:_ROWS]]
    table = write_table(head, rows, right=range(1, 6))
    parts = [f"### {escape_name(heading(pair))}", f"**{escape(finding(pair))}**"]
    parts += [sides, escape(pair.pairing), table]
    if len(pair.groups) > _ROWS:
        parts.append(f"{count(len(pair.groups) - _ROWS)} more groups are in the comparison's JSON.")
    for name, alone in zip(names, (pair.only_first, pair.only_second), strict=True):
        if alone:
            more = f" and {count(len(alone) - _LISTED)} more" if len(alone) > _LISTED else ""
            listed = ", ".join(map(escape_name, alone[:_LISTED]))
            parts.append(f"Without a partner, only in {name}: {listed}{more}.")
    return parts


def _side(side: SideInfo) -> str:
    seeds = f"{len(side.seeds)} seed{'' if len(side.seeds) == 1 else 's'}"
    names = [escape_name(side.source, 120), escape_name(method_label(side.method))]
    return ", ".join(filter(None, [*names, seeds, escape(side.created[:10])]))


def _label(row: Difference) -> str:
    group = which_group(row)
    return f"{LABELS[row.name]} ({escape_name(group, 80)})" if group else LABELS[row.name]


def _cells(label: str, row: Difference) -> list[str]:
    both = [f"{percent(e.value)} {percent_interval(e)}" for e in (row.first, row.second)]
    if not row.difference.n:
        return [label, *both, DASH, "no images", "0"]
    value = points(row.difference.value) + ("" if row.paired else " (unpaired)")
    n = count(row.difference.n) + ("" if row.sufficient else f" ({TOO_FEW})")
    return [label, *both, value, points_interval(row.difference), n]


def _describe_rungs(comparison: Comparison) -> str:
    sentence = verdict_sentence(comparison)
    said = escape(sentence[0].upper() + sentence[1:])
    if not comparison.changed_rungs:
        return said
    rows = [
        (escape(change.question), STATUS_WORDS[change.first], STATUS_WORDS[change.second])
        for change in comparison.changed_rungs
    ]
    names = [escape_name(name, _NAME) for name in (comparison.first, comparison.second)]
    return f"{said}\n\n{write_table(('question about the shortcut', *names), rows)}"
