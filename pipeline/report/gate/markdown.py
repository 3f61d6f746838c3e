"""The outcome of a gate as Markdown: the verdict, the checks, groups by method, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import DASH, count, percent
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.report import Report
from pipeline.records.verdict import Rung
from pipeline.report.gate.judge import Judged
from pipeline.report.gate.limits import Check, limit_text
from pipeline.report.gate.text import sum_up, value_text
from pipeline.report.markdown import escape, escape_name, write_table
from pipeline.report.page.group_rows import order_groups
from pipeline.verdict.phrases import STATUS_WORDS, TOO_FEW, answer_words, method_label, percent_interval

_ROWS = 20  # groups shown: a comment on a pull request holds 65,536 characters


def markdown_gate(judged: Sequence[Judged]) -> str:
    """Every report with its outcome, one after the other."""
    return "\n\n".join(part for report in judged for part in _describe_report(report)) + "\n"


def _describe_report(judged: Judged) -> list[str]:
    report, verdict = judged.report, judged.report.verdict
    mark = "❌" if judged.n_failed else "✅"
    baseline = f" of {escape_name(method_label(verdict.baseline))}" if verdict.baseline else ""
    return [
        f"## {mark} {escape_name(report.dataset.title)}: gate {sum_up(len(judged.checks), judged.n_failed)}",
        escape(verdict.headline),
        "### Checks",
        _tabulate_checks(judged.checks),
        f"### Verdict{baseline}",
        _tabulate_verdict(verdict.rungs),
        "### Accuracy on test images",
        _tabulate_groups(report),
        "### What to do next",
        "\n".join(f"- **{escape(step.action)}** Why: {escape(step.because)}" for step in verdict.next_steps),
        _describe_origin(report),
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


def _tabulate_verdict(rungs: Sequence[Rung]) -> str:
    rows = [(escape(rung.question), answer_words(rung), escape(rung.evidence)) for rung in rungs]
    return write_table(("question", "answer", "evidence"), rows)


def _tabulate_groups(report: Report) -> str:
    if not report.methods:
        return "No model was evaluated, so there is no accuracy to show."
    methods = report.methods
    head = ["", *(escape_name(method_label(method)) for method in methods)]
    rows = [
        ["average", *(_accuracy(found.test.average) for found in methods.values())],
        ["worst group", *(_accuracy(found.test.worst_group) for found in methods.values())],
    ]
    groups = order_groups(report)
    for index, by_method in groups[:_ROWS]:
        name = escape_name(report.dataset.groups[index].name)
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


def _describe_origin(report: Report) -> str:
    made = report.provenance
    parts = [
        f"report of {escape(made.created[:10])}" if made.created else "",
        f"settings {escape(made.params_hash)}" if made.params_hash else "",
        f"seeds {', '.join(map(str, made.seeds))}" if made.seeds else "",
    ]
    about = "Intervals are 95%; those of a worst group allow for having picked it"
    return f"<sub>{'; '.join(filter(None, [about, *parts]))}.</sub>"
