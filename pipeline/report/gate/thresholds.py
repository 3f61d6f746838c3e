"""Thresholds that a finished report meets today, from the worse ends of its own intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pipeline.core.errors import InputError
from pipeline.records.report import Report
from pipeline.report.gate.checks import OF_METHODS, Asked, check_leaking, check_uncounted
from pipeline.report.gate.judge import judge_report
from pipeline.report.gate.limits import Check, Key, Limit
from pipeline.report.gate.rungs import check_rung
from pipeline.report.gate.text import value_text
from pipeline.report.markdown import plain
from pipeline.settings.gate import NO_SHARES, Forbidden, GateSettings, Use
from pipeline.verdict.phrases import method_label

_STEP, _COUNTED_STEP = 1_000, 1_000_000  # thresholds are rounded to these parts, towards what is met
NO_EARLIER = "it compares with an earlier report: --baseline OLD.json --max-drop 0.02"


@dataclass(frozen=True)
class Proposal:
    """Settings that the report passes, what they were made from, and why others are left out."""

    settings: GateSettings
    today: dict[str, str]  # key -> the number it stands for
    left_out: dict[str, str]  # key, or rung -> why


def propose(report: Report, methods: Sequence[str], *, method: str | None, use: Use) -> Proposal:
    """Every threshold and rung that the report can answer for all of `methods`.

    Numbers are the worse ends of today's intervals. Judged by the estimate, another run then fails where
    its number lies outside what today's data and seeds leave open; judged by the interval (`lower`), any
    run fails whose interval ends worse than today's.

    Args:
        method: what the settings name: None is the baseline, `all` every one.

    Raises:
        InputError: a method was not trained, or the report answers nothing that a gate can ask.
    """
    for name in methods:
        if name in report.verdict.not_trained:
            raise InputError(
                f"{method_label(name)} was not trained ({report.verdict.not_trained[name]}), so it meets no "
                f"threshold. Name a method that was: {', '.join(report.methods) or 'there is none'}."
            )
    given: dict[str, Any] = {"method": method, "use": use}
    today: dict[str, str] = {}
    left_out = {"max_drop": NO_EARLIER}
    for key in (*OF_METHODS, "max_leaking"):
        if key == "max_drop":
            continue
        threshold, said = _threshold(key, _lenient_checks(report, methods, key, use))
        if threshold is None:
            left_out[key] = said
        else:
            given[key], today[key] = threshold, said
    given["forbid"] = _forbidden(report, methods, left_out)
    if any(check_uncounted(report, name) for name in methods):
        given["allow_uncounted"] = True
        today["allow_uncounted"] = "groups are too small to count today: no threshold protects them"
    return _without_failing(report, methods, Proposal(GateSettings(**given), today, left_out))


def _lenient_checks(report: Report, methods: Sequence[str], key: Key, use: Use) -> list[Check]:
    """The check that every report passes, for its numbers."""
    limit = Limit(bound="at least", threshold=0.0, use=use)
    if not key.startswith("min_"):
        limit = Limit(bound="at most", threshold=_most(key), use=use)
    if key == "max_leaking":
        return check_leaking(report, limit)
    return [OF_METHODS[key][1](Asked(report, method, limit, None)) for method in methods]


def _threshold(key: Key, checks: Sequence[Check]) -> tuple[float | None, str]:
    """What all checks meet, and what it stands for; None with the reason where that asks nothing."""
    unknown = next((check for check in checks if check.estimate is None), None)
    if unknown is not None or not checks:
        return None, unknown.reason if unknown else "no model was evaluated"
    is_least = key.startswith("min_")
    worst = min(checks, key=lambda c: _worse_end(key, c) * (1 if is_least else -1))
    end = _worse_end(key, worst)
    if not math.isfinite(end):
        return None, "its interval is not known"
    step = _COUNTED_STEP if key == "max_leaking" else _STEP
    rounded = (math.floor(end * step + 1e-9) if is_least else math.ceil(end * step - 1e-9)) / step
    if rounded <= 0 if is_least else rounded >= _most(key):
        return None, f"its interval rules nothing out: {value_text(worst.estimate, worst.unit)}"
    return min(max(rounded, 0.0), _most(key)), value_text(worst.estimate, worst.unit)


def _most(key: Key) -> float:
    """What the number cannot exceed."""
    return math.inf if key in NO_SHARES else 1.0


def _worse_end(key: Key, check: Check) -> float:
    assert check.estimate is not None
    if key == "max_leaking":
        return check.estimate.value  # counted
    return check.estimate.low if key.startswith("min_") else check.estimate.high


def _forbidden(report: Report, methods: Sequence[str], left_out: dict[str, str]) -> list[Forbidden]:
    """The rungs that are answered no for all of `methods`; of the others it is said what they are."""
    found: list[Forbidden] = []
    for name in get_args(Forbidden):
        asked: Sequence[str | None] = [None] if name == "available" else methods or [None]
        checks = [check_rung(report, name, method, "lower") for method in asked]
        answers = {check.answer for check in checks if not check.passed}
        if not answers:
            found.append(name)
        else:
            left_out[name] = "answered yes today" if "yes" in answers else "insufficient evidence today"
    return found


def _without_failing(report: Report, methods: Sequence[str], proposal: Proposal) -> Proposal:
    """What would still fail, such as a limit that a tiny group is far below, is left out with its reason."""
    if proposal.settings.asks_nothing:
        raise InputError(
            f"the report of {report.dataset.name} answers nothing that a gate can ask: "
            + "; ".join(f"{key}: {why}" for key, why in proposal.left_out.items())
            + "."
        )
    failed = [
        check
        for check in judge_report(report, proposal.settings, list(methods), {}).checks
        if not check.passed
    ]
    if not failed:
        return proposal
    whats = {what: key for key, (what, _) in OF_METHODS.items()}
    keys = {whats[check.what]: check.reason for check in failed if check.what in whats}
    assert keys, f"{[check.what for check in failed]} fails and belongs to no threshold"
    kept = proposal.settings.model_copy(update=dict.fromkeys(keys))
    today = {key: said for key, said in proposal.today.items() if key not in keys}
    return _without_failing(report, methods, Proposal(kept, today, proposal.left_out | keys))


def format_proposal(proposal: Proposal, place: str, source: str) -> str:
    """The section as YAML to paste, each threshold beside today's number; what is left out in comments."""
    given = proposal.settings.model_dump(exclude_defaults=True) | {"use": proposal.settings.use}
    lines = [f"# {place} in params.yaml: what {source} meets today", "gate:"]
    for key in GateSettings.model_fields:
        if key in given:
            said = f"  # today {proposal.today[key]}" if key in proposal.today else ""
            lines.append(f"  {key}: {_yaml(given[key])}{said}")
    lines += [f"# left out: {key}: {plain(why)}" for key, why in proposal.left_out.items()]
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(value)}]" if isinstance(value, list) else f"{value}"
