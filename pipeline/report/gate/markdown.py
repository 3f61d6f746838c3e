"""The outcome of a gate as Markdown: the verdict, the checks, groups by method, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import DASH, count, percent
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.report.gate.judge import Judged
from pipeline.report.gate.limits import Check, limit_text
from pipeline.report.gate.text import sum_up, value_text
from pipeline.report.markdown import escape, escape_name, write_table
from pipeline.report.page.group_rows import order_groups
from pipeline.report.records import ReportSummary
from pipeline.verdict.evidence import answer_words
from pipeline.verdict.phrases import STATUS_WORDS, TOO_FEW, method_label, percent_interval

_ROWS = 20  # groups shown: a comment on a pull request holds 65,536 characters


def markdown_gate(judged: Sequence[Judged]) -> str:
    """Every report with its outcome, one after the other."""
    return "\n\n".join(part for report in judged for part in _describe_report(report)) + "\n"


def _describe_report(report: Judged) -> list[str]:
    summary = report.summary
    mark = "❌" if report.n_failed else "✅"
    baseline = f" of {escape_name(method_label(summary.baseline))}" if summary.baseline else ""
    return [
        f"## {mark} {escape_name(summary.dataset.title)}: gate {sum_up(len(report.checks), report.n_failed)}",
        escape(summary.headline),
        "### Checks",
        _tabulate_checks(report.checks),
        f"### Verdict{baseline}",
        _tabulate_verdict(summary),
        "### Accuracy on test images",
        _tabulate_groups(summary),
        "### What to do next",
        "\n".join(f"- **{escape(step.action)}** Why: {escape(step.because)}" for step in summary.next_steps),
        _describe_origin(summary),
    ]


def _tabulate_checks(checks: Sequence[Check]) -> str:
    head = ("", "check", "method", "found", "asked", "reason")
    return write_table(head, [_check_cells(check) for check in checks])


def _check_cells(check: Check) -> list[str]:
    found = STATUS_WORDS[check.answer] if check.answer else value_text(check.estimate, check.unit)
    return [
        "✅ pass" if check.passed else "❌ **fail**",
        escape(check.what),
        escape_name(method_label(check.method)) if check.method else "data",
        found,
        limit_text(check.limit, check.unit) if check.limit else "not yes" if check.answer else "none",
        escape(check.reason),
    ]


def _tabulate_verdict(summary: ReportSummary) -> str:
    rows = [(escape(rung.question), answer_words(rung), escape(rung.evidence)) for rung in summary.verdict]
    return write_table(("question", "answer", "evidence"), rows)


def _tabulate_groups(summary: ReportSummary) -> str:
    if not summary.methods:
        return "No model was evaluated, so there is no accuracy to show."
    methods = summary.methods
    head = ["", *(escape_name(method_label(method)) for method in methods)]
    rows = [
        ["average", *(_accuracy(found.test.average) for found in methods.values())],
        ["worst group", *(_accuracy(found.test.worst_group) for found in methods.values())],
    ]
    groups = order_groups(summary)
    for index, by_method in groups[:_ROWS]:
        name = escape_name(summary.dataset.groups[index].name)
        rows.append([name, *(_accuracy(by_method.get(method)) for method in methods)])
    table = write_table(head, rows, right=range(1, len(head)))
    if len(groups) <= _ROWS:
        return table
    return f"{table}\n\n{count(len(groups) - _ROWS)} more groups are in the report."


def _accuracy(estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    if estimate.n == 0:
        return "no images"
    thin = isinstance(estimate, GroupEstimate) and not estimate.sufficient
    note = f", {TOO_FEW}" if thin else ""
    return f"{percent(estimate.value)} {percent_interval(estimate)} n = {count(estimate.n)}{note}"


def _describe_origin(summary: ReportSummary) -> str:
    made = summary.provenance
    parts = [
        f"report of {escape(made.created[:10])}" if made.created else "",
        f"settings {escape(made.params_hash)}" if made.params_hash else "",
        f"seeds {', '.join(map(str, made.seeds))}" if made.seeds else "",
    ]
    about = "Intervals are 95%; those of a worst group allow for having picked it"
    return f"<sub>{'; '.join(filter(None, [about, *parts]))}.</sub>"
