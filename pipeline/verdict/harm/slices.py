"""Parts of the images that nobody named and in which a model errs more.

Shape legend: S seeds, N images, C conditions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.types import BoolArray, Int64Array
from pipeline.core.words import count, join_names, percent, points, spelled
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.slices import MethodSlices, Slice
from pipeline.records.verdict import Status, Thresholds
from pipeline.statistics.slices import Measured, Mistakes, Part, find_parts, inside, measure_parts
from pipeline.verdict.evidence.askable import why_not_asked
from pipeline.verdict.evidence.rules import judge_effect, strongest
from pipeline.verdict.harm.conditions import Condition, Described, make_conditions
from pipeline.verdict.harm.telling import columns_of, holds, tell
from pipeline.verdict.phrases import method_label, percent_interval, points_interval, why_not_by_validation

LEAST = 10  # images on either side of a split, whatever the settings say
ROOM = 1.1  # of what a part needs on test: that it gets so many there is likely then


@dataclass(frozen=True)
class Scored:
    """What is known of a split's images, and which of them each seed gets wrong."""

    described: Described
    wrong_SN: BoolArray
    sources_N: Int64Array | None = None


def find_slices(
    method: str,
    val: Scored,
    test: Scored,
    limits: Thresholds,
    *,
    grouped_by: Collection[str] = (),
    why_not: str | None = None,
) -> MethodSlices:
    """Parts that validation mistakes point to, measured on test images of other sources.

    Args:
        val, test: of the same seeds' models.
        grouped_by: columns that form the groups.
        why_not: why the mistakes of this model say nothing, as a sentence.
    """
    kept_N = _of_other_sources(val, test)
    n_val, n_test = val.wrong_SN.shape[1], int(kept_N.sum())
    least = _least(n_val, n_test, limits)
    sizes = {
        "n_val": n_val,
        "n_test": n_test,
        "n_shared": int((~kept_N).sum()),
        "n_seeds": len(val.wrong_SN),
    }
    reason = why_not or _too_few(n_val, n_test, least, limits)
    if reason is not None:
        return MethodSlices(status="insufficient", finding=reason, **sizes)
    conditions = make_conditions(val.described, test.described, least)
    holds_val_NC, holds_test_NC = (holds(conditions, name) for name in ("val_N", "test_N"))
    on_val = Mistakes(val.wrong_SN, holds_val_NC, val.sources_N)
    on_test = Mistakes(test.wrong_SN, holds_test_NC, test.sources_N).take(kept_N)
    parts = find_parts(on_val, least=least, min_effect=limits.min_effect)
    enough = [part for part in parts if _is_enough(part, on_test, limits)]
    slices = [
        one.model_copy(update={"is_grouped": {*grouped_by} >= {*one.columns}})
        for one in _judge(enough, conditions, on_test, limits)
    ]
    status = strongest(*(one.status for one in slices), "no" if enough == parts else "insufficient")
    return MethodSlices(
        status=_STATUSES[status],
        finding=_finding(method, slices, status, len(conditions), limits),
        slices=slices,
        n_conditions=len(conditions),
        columns=columns_of(conditions),
        **sizes,
    )


_STATUSES: dict[Status, Literal["found", "none", "insufficient"]] = {
    "yes": "found",
    "insufficient": "insufficient",
    "no": "none",
}


def why_no_slices(evaluation: EvaluationResult, limits: Thresholds) -> str | None:
    """Why a model's mistakes on validation images say nothing, as a sentence; None where they do."""
    why_not = why_not_by_validation(evaluation)
    if why_not and not (evaluation.is_brought and evaluation.val):
        return f"Harder parts are looked for among validation mistakes, and {why_not}"
    not_asked = why_not_asked(evaluation, limits)
    return not_asked.removesuffix(".") if not_asked else None


def _of_other_sources(val: Scored, test: Scored) -> BoolArray:
    """Test images that share no scene with a validation image: those would repeat its mistakes."""
    if val.sources_N is None or test.sources_N is None:
        return np.ones(test.wrong_SN.shape[1], bool)
    return ~np.isin(test.sources_N, val.sources_N)


def _least(n_val: int, n_test: int, limits: Thresholds) -> int:
    """Validation images of a part: enough for it to count there, and for as many as count to be on test."""
    needed = math.ceil(ROOM * limits.min_test * n_val / max(n_test, 1))
    return max(limits.min_val, needed, LEAST)


def _too_few(n_val: int, n_test: int, least: int, limits: Thresholds) -> str | None:
    if n_test < 2 * limits.min_test:
        return (
            f"Too few test images for a part and the rest: {count(n_test)}, "
            f"{count(2 * limits.min_test)} are needed (evaluate.min_test)"
        )
    if n_val < 2 * least:
        asks = "evaluate.min_val" if least == limits.min_val else "in proportion to evaluate.min_test"
        return (
            f"Too few validation images for a part and the rest: {count(n_val)}, {count(2 * least)} are "
            f"needed ({asks})"
        )
    return None


def _judge(
    parts: Sequence[Part], conditions: Sequence[Condition], on_test: Mistakes, limits: Thresholds
) -> list[Slice]:
    """Parts as they are on test, those that hold first."""
    measured = measure_parts([part.literals for part in parts], on_test)
    slices = [_slice(part, m, conditions, limits) for part, m in zip(parts, measured, strict=True)]
    order = {"yes": 0, "insufficient": 1, "no": 2}
    return sorted(slices, key=lambda one: (order[one.status], -one.beyond.value))


def _is_enough(part: Part, on_test: Mistakes, limits: Thresholds) -> bool:
    n = int(inside(part.literals, on_test.holds_NC).sum())
    return max(limits.min_test, 1) <= n <= on_test.n - max(limits.min_test, 1)


def _slice(part: Part, found: Measured, conditions: Sequence[Condition], limits: Thresholds) -> Slice:
    told = tell(part, conditions)
    words = f"Images {join_names(told)}"
    return Slice(
        words=words,
        conditions=told,
        columns=columns_of([conditions[c] for c, _ in part.literals]),
        n_val=part.n,
        error_val=part.error,
        error=found.error,
        rest=found.rest,
        beyond=found.beyond,
        status=judge_effect(found.beyond.value, found.beyond.low, limits.min_effect),
        sentence=_sentence(words, part, found),
    )


def _sentence(words: str, part: Part, found: Measured) -> str:
    """ "Images of “cat” among the darkest fifth: 61.0% wrong [48.0, 73.0], …"."""
    return (
        f"{words}: {percent(found.error.value)} wrong {percent_interval(found.error)} against "
        f"{percent(found.rest.value)} of all others (n = {count(found.error.n)}; found on {count(part.n)} "
        f"validation images)"
    )


def _finding(
    method: str, slices: Sequence[Slice], status: Status, n_conditions: int, limits: Thresholds
) -> str:
    who, n_held = method_label(method), sum(one.status == "yes" for one in slices)
    if status == "yes":
        parts = "one part" if n_held == 1 else f"{spelled(n_held)} parts"
        n_told = sum(one.status == "yes" and one.is_grouped for one in slices)
        told = (
            ""
            if not n_told
            else f", {spelled(n_told) if n_told < n_held else 'all'} of them told by the groups"
        )
        told = ", which the groups tell" if n_told == n_held == 1 else told
        return f"{who} errs clearly more in {parts} of the images{told}"
    tried = f"{count(n_conditions)} properties and pairs of them were tried on validation mistakes of {who}"
    if status == "insufficient":
        largest = max(slices, key=lambda one: one.beyond.value, default=None)
        if largest is None or largest.status != "insufficient":
            needed = f"{count(limits.min_test)} test images"
            return f"{tried}. What they point to has fewer than the {needed} that count"
        size = f"{points(largest.beyond.value)} points {points_interval(largest.beyond)}"
        return f"{tried}. {largest.words} may be harder, or not: {size}"
    if slices:
        return f"{tried}. What they point to is not harder by {percent(limits.min_effect, 0)} on test images"
    return f"{tried}. They point to no part of the images that is harder"
