"""The outcome of a gate for the terminal: one line per check."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import DASH, count, number, percent, points, printable
from pipeline.records.base import Estimate
from pipeline.report.gate.judge import Judged
from pipeline.report.gate.limits import Check, Unit, limit_text
from pipeline.verdict.phrases import method_label, number_interval, percent_interval, points_interval

_LINE = 2_000  # characters: evidence is shown whole, an endless name is not


def format_gate(judged: Sequence[Judged]) -> str:
    """PASS or FAIL, the number with its interval and n, what was asked, and why; then the sum of it."""
    lines = [_line(report, check) for report in judged for check in report.checks]
    n_failed = sum(report.n_failed for report in judged)
    return "\n".join([*lines, f"gate: {sum_up(len(lines), n_failed)}"]) + "\n"


def sum_up(n_checks: int, n_failed: int) -> str:
    """ "passed, 3 checks", "failed, 1 of 3 checks"."""
    checks = f"{count(n_checks)} check{'' if n_checks == 1 else 's'}"
    return f"failed, {count(n_failed)} of {checks}" if n_failed else f"passed, {checks}"


def value_text(estimate: Estimate | None, unit: Unit) -> str:
    """ "39.7% [22.9, 59.5], n = 300"; differences in points; a dash where nothing was measured."""
    if estimate is None:
        return DASH
    if unit == "difference":
        shown, interval = f"{points(estimate.value)} points", points_interval(estimate)
    elif unit == "number":
        shown, interval = number(estimate.value), number_interval(estimate)
    else:
        shown, interval = percent(estimate.value), percent_interval(estimate)
    return f"{shown} {interval}, n = {count(estimate.n)}"


def _line(judged: Judged, check: Check) -> str:
    where = judged.report.dataset.name
    if check.method is not None:
        where += f", {method_label(check.method)}"
    number = "" if check.unit == "answer" else f": {value_text(check.estimate, check.unit)}"
    asked = f", asked {limit_text(check.limit, check.unit)}" if check.limit else ""
    passed = "PASS" if check.passed else "FAIL"
    return printable(f"{passed}  {where}: {check.what}{number}{asked} - {check.reason}", _LINE)
