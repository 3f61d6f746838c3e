"""The outcome of a gate as Markdown, short enough to be read in a pull request: the report has the rest.

At most 250 words a report, which the shares below add up to; each failed check stands there once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.core.words import DASH, count
from pipeline.report.gate.judge import Judged
from pipeline.report.gate.limits import Check, limit_text
from pipeline.report.gate.text import sum_up, value_text
from pipeline.report.markdown import escape, escape_name, write_table
from pipeline.verdict.phrases import STATUS_WORDS, method_label

_FAILED, _PASSED = 5, 3  # checks shown
_HEADLINE, _REASONS, _ACTION = 45, 60, 20  # words; all reasons together


def markdown_gate(judged: Sequence[Judged]) -> str:
    """Every report with its outcome, one after the other."""
    return "\n\n".join(part for report in judged for part in _describe_report(report)) + "\n"


def _describe_report(judged: Judged) -> list[str]:
    report, checks = judged.report, judged.checks
    mark, title = "❌" if judged.n_failed else "✅", escape_name(report.dataset.title)
    parts = [
        f"## {mark} {title}: gate {sum_up(len(checks), judged.n_failed)}",
        escape(_cut(report.verdict.headline, _HEADLINE)),
        _tabulate_failed([check for check in checks if not check.passed]),
        _list_passed([check for check in checks if check.passed]),
    ]
    if judged.n_failed and report.verdict.next_steps:
        parts.append(f"**Next:** {escape(_cut(report.verdict.next_steps[0].action, _ACTION))}")
    return [*filter(None, parts), _describe_origin(judged)]


def _tabulate_failed(checks: Sequence[Check]) -> str:
    if not checks:
        return ""
    shown = checks[:_FAILED]
    rows = [
        (_name(check), _found(check), _asked(check), escape(_cut(_why(check), _REASONS // len(shown))))
        for check in shown
    ]
    table = write_table(("failed", "found", "asked", "why"), rows)
    return (
        table if len(checks) == len(shown) else f"{table}\n\n{count(len(checks) - len(shown))} more failed."
    )


def _list_passed(checks: Sequence[Check]) -> str:
    if not checks:
        return ""
    named = [_name(check) for check in checks[:_PASSED]]
    more = f" and {count(len(checks) - _PASSED)} more" if len(checks) > _PASSED else ""
    return f"Passed: {'; '.join(named)}{more}."


def _name(check: Check) -> str:
    return (
        f"{escape_name(method_label(check.method), 30)}, {escape(check.what)}"
        if check.method
        else escape(check.what)
    )


def _found(check: Check) -> str:
    if check.answer:
        return STATUS_WORDS[check.answer]
    return value_text(check.estimate, check.unit).partition(", n = ")[0]  # the report has it


def _asked(check: Check) -> str:
    return limit_text(check.limit, check.unit) if check.limit else check.asked or DASH


def _why(check: Check) -> str:
    """The reason, without the answer of a rung that stands beside it."""
    return re.sub(r"^answered \w+\. ", "", check.reason)


def _cut(text: str, n_words: int) -> str:
    """The first words of a text, and an ellipsis for the others."""
    words = text.split()
    return text if len(words) <= n_words else f"{' '.join(words[:n_words]).rstrip(',;:.(')} …"


def _describe_origin(judged: Judged) -> str:
    made = judged.report.provenance
    parts = [
        "95% intervals",
        f"report of {escape(made.created[:10])}" if made.created else "",
        f"settings {escape(made.params_hash)}" if made.params_hash else "",
        f"{len(made.seeds)} seed{'' if len(made.seeds) == 1 else 's'}" if made.seeds else "",
    ]
    return f"<sub>{'; '.join(filter(None, parts))}.</sub>"
