"""A threshold, an estimate held against it, and how the outcome is told."""

from __future__ import annotations

from typing import Literal

from pipeline.core.words import number, percent
from pipeline.records.base import Estimate, Record
from pipeline.records.verdict import Status
from pipeline.settings.gate import GateSettings, Use

Key = Literal[
    "min_worst_group",
    "min_average",
    "max_gap",
    "max_flip_rate",
    "max_drop",
    "max_leaking",
    "max_ece",
    "max_psi",
    "min_attacked",
    "min_corrupted",
]
Unit = Literal["share", "difference", "number", "answer"]

# counted, or with intervals of several points that would let nothing pass: the number itself decides
BY_ESTIMATE: tuple[Key, ...] = ("max_drop", "max_leaking")
_UNITS: dict[Unit, str] = {"share": "%", "difference": " points", "number": "", "answer": ""}
_ROUNDING = 1e-9  # 0.82 - 0.80 is not more than 0.02


class Limit(Record):
    """What is asked of a number."""

    bound: Literal["at least", "at most"]
    threshold: float
    use: Use


class Check(Record):
    """One threshold or forbidden rung, and whether the report meets it."""

    method: str | None  # None: about the data
    what: str
    passed: bool
    unit: Unit
    estimate: Estimate | None = None  # None where it was not measured, and of rungs
    answer: Status | None = None  # of a rung
    limit: Limit | None = None  # None of rungs
    asked: str = ""  # of a rung and of what is counted, in words
    reason: str
    brief: str = ""  # the reason in a few words, where its first sentence is a long one

    @property
    def is_doubt(self) -> bool:
        """Whether it fails although the number itself meets the limit: a narrower interval may pass."""
        if self.passed or self.estimate is None or self.limit is None:
            return False
        return _meets(self.estimate.value, self.limit)


def find_limit(settings: GateSettings, key: Key) -> Limit | None:
    """What `settings` ask of a number; None where nothing."""
    threshold: float | None = getattr(settings, key)
    if threshold is None:
        return None
    return Limit(
        bound="at least" if key.startswith("min_") else "at most",
        threshold=threshold,
        use="estimate" if key in BY_ESTIMATE else settings.use,
    )


def measured(
    what: str,
    limit: Limit,
    estimate: Estimate,
    *,
    method: str | None = None,
    unit: Unit = "share",
    detail: str = "",
) -> Check:
    """The check of a number that is known; `detail` ends its reason."""
    passed, reason = hold_against(estimate, limit, unit)
    return Check(
        method=method,
        what=what,
        passed=passed,
        unit=unit,
        estimate=Estimate(value=estimate.value, low=estimate.low, high=estimate.high, n=estimate.n),
        limit=limit,
        reason=reason + detail,
    )


def unmeasured(
    what: str, limit: Limit, why: str, *, method: str | None = None, unit: Unit = "share"
) -> Check:
    """The failed check of a number that is not known."""
    return Check(
        method=method, what=what, passed=False, unit=unit, limit=limit, reason=f"insufficient data: {why}"
    )


def hold_against(estimate: Estimate, limit: Limit, unit: Unit = "share") -> tuple[bool, str]:
    """Whether the number meets the limit, and why, in words; what is not a number meets none."""
    worse = estimate.low if limit.bound == "at least" else estimate.high
    end = "lower" if limit.bound == "at least" else "upper"
    which, decides = (
        ("the estimate", estimate.value)
        if limit.use == "estimate"
        else (f"the {end} end of the interval", worse)
    )
    which += _number(decides, limit, unit)
    if _meets(decides, limit):
        return True, f"{which} meets it"
    if limit.use == "lower" and _meets(estimate.value, limit):
        return False, f"the estimate meets it, but {which} does not (more test images or seeds narrow it)"
    return False, f"{which} misses it"


def limit_text(limit: Limit, unit: Unit) -> str:
    """What is asked, as it was given: "at least 80%", "at most 0.25 points"."""
    return f"{limit.bound} {limit.threshold * (1 if unit == 'number' else 100):.6g}{_UNITS[unit]}"


def _meets(value: float, limit: Limit) -> bool:
    if limit.bound == "at least":
        return value >= limit.threshold - _ROUNDING
    return value <= limit.threshold + _ROUNDING


def _number(value: float, limit: Limit, unit: Unit) -> str:
    """The number that decides, where it is not the estimate, or rounds to the limit without being it."""
    near = f"{100 * limit.threshold:.1f}" == f"{100 * value:.1f}" and value != limit.threshold
    if limit.use == "estimate" and not near:
        return ""
    if unit == "number":
        return f", {number(value, 4 if near else 2)},"
    return f", {percent(value, 4 if near else 1).removesuffix('%')}{_UNITS[unit]},"
