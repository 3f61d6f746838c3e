"""The outcome of a gate as Markdown, short enough to be read in a pull request: the report has the rest.

At most 250 words a report, which the shares below add up to; each failed check stands there once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.core.words import DASH, count, join_names, quoted
from pipeline.report.gate.judge import Judged
from pipeline.report.gate.limits import Check, limit_text
from pipeline.report.gate.shorten import whole_part
from pipeline.report.gate.text import sum_up, value_text
from pipeline.report.markdown import escape, escape_name, write_table
from pipeline.verdict.phrases import STATUS_WORDS, accuracy_brief, method_label

_FAILED, _PASSED = 5, 3  # checks shown
_HEADLINE, _REASONS, _ACTION = 45, 75, 20  # words; all reasons together
_METHODS = 4  # named in the headline


def markdown_gate(judged: Sequence[Judged]) -> str:
    """Every report with its outcome, one after the other."""
    return "\n\n".join(part for report in judged for part in _describe_report(report)) + "\n"


def _describe_report(judged: Judged) -> list[str]:
    report, checks = judged.report, judged.checks
    mark, title = "❌" if judged.n_failed else "✅", escape_name(report.dataset.title)
    parts = [
        f"## {mark} {title}: gate {sum_up(len(checks), judged.n_failed)}",
        escape(_headline(judged)),
        _tabulate_failed([check for check in checks if not check.passed]),
        _list_passed([check for check in checks if check.passed]),
    ]
    step = _next_step(judged) if judged.n_failed else ""
    if step:
        parts.append(f"**Next:** {escape(step)}")
    return [*filter(None, parts), _describe_origin(judged)]


def _headline(judged: Judged) -> str:
    """What the report says of its baseline, else what the gate found of the models that it judged."""
    verdict = judged.report.verdict
    if not judged.is_of_baseline:
        return _found_of_methods(judged)
    parts = (whole_part(text, _HEADLINE) for text in (verdict.headline, verdict.brief.title))
    found = next(filter(None, parts), "")
    return f"{found.rstrip('.')}." if found else ""


def _found_of_methods(judged: Judged) -> str:
    methods, verdict = judged.methods, judged.report.verdict
    passed = [f"{method_label(method)} passes {_passed_of(judged, method)}" for method in methods[:_METHODS]]
    if len(methods) > _METHODS:
        passed.append(f"{count(len(methods) - _METHODS)} more were judged")
    if len(methods) > 1 or methods[0] not in verdict.methods:
        return f"{join_names(passed)}."
    worst, baseline = verdict.methods[methods[0]].worst, verdict.baseline
    group = f"; its worst group is {quoted(worst.name, 40)} with {accuracy_brief(worst)}" if worst else ""
    return f"{passed[0]}, judged instead of the baseline {method_label(baseline or '')}{group}."


def _passed_of(judged: Judged, method: str) -> str:
    own = [check.passed for check in judged.checks if check.method == method]
    return f"{count(sum(own))} of {count(len(own))} check{'' if len(own) == 1 else 's'}"


def _next_step(judged: Judged) -> str:
    """The report's own step where it is about what was judged, else what the failed checks ask for."""
    steps = [step.action for step in judged.report.verdict.next_steps]
    if judged.is_of_baseline:
        return whole_part(steps[0], _ACTION) if steps else ""
    warned = [f"Do not use the {method_label(method)} model" for method in judged.methods]
    own = next((step for step in steps if step.startswith(tuple(warned))), "")
    doubtful = sum(check.is_doubt for check in judged.checks)
    if own or not doubtful:
        return whole_part(own, _ACTION)
    of = (
        f"{count(doubtful)} of the {count(judged.n_failed)} failed checks"
        if judged.n_failed > 1
        else "the check"
    )
    return f"Gather test images or train more seeds: a narrower interval may pass {of}."


def _tabulate_failed(checks: Sequence[Check]) -> str:
    if not checks:
        return ""
    shown = checks[:_FAILED]
    rows = [
        (_name(check), _found(check), _asked(check), escape(_why(check, _REASONS // len(shown))))
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


def _why(check: Check, n_words: int) -> str:
    """The reason, without the answer of a rung that stands beside it."""
    return whole_part(check.brief or re.sub(r"^answered \w+\. ", "", check.reason), n_words)


def _describe_origin(judged: Judged) -> str:
    made = judged.report.provenance
    parts = [
        "95% intervals",
        f"report of {escape(made.created[:10])}" if made.created else "",
        f"settings {escape(made.params_hash)}" if made.params_hash else "",
        f"{len(made.seeds)} seed{'' if len(made.seeds) == 1 else 's'}" if made.seeds else "",
    ]
    return f"<sub>{'; '.join(filter(None, parts))}.</sub>"
