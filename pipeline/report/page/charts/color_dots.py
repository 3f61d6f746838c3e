"""Chart: how well single color features tell a class apart, in training and on test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import count, number
from pipeline.records.base import Estimate
from pipeline.records.color import ColorFinding
from pipeline.records.report import Report
from pipeline.report.page.charts.scales import Scale
from pipeline.verdict.phrases import number_interval

MOST_ROWS = 6
CHANCE = 0.5


@dataclass(frozen=True)
class ColorRow:
    """One feature that sets one class apart; values are AUROCs of that class against the others."""

    class_name: str
    words: str
    train: Estimate  # on the half of the training images that did not find it
    test: Estimate | None
    train_tip: str
    test_tip: str
    confirmed: bool
    holds: bool | None  # on test; None where test lacks one side


@dataclass(frozen=True)
class ColorDots:
    title: str
    rows: list[ColorRow]
    scale: Scale
    rest: str
    chance: float = CHANCE


def color_dots(report: Report) -> ColorDots | None:
    """None where no feature differs between the classes."""
    findings = report.color.findings
    if not findings:
        return None
    rows = [_row(found) for found in findings[:MOST_ROWS]]
    ends = [v for row in rows for e in (row.train, row.test) if e for v in (e.low, e.high)]
    known = [CHANCE, *(v for v in ends if math.isfinite(v))]
    n_rest = len(findings) - len(rows)
    return ColorDots(
        title=_title(findings),
        rows=rows,
        scale=Scale(min(known), max(*known, CHANCE + 0.1), ()),
        rest=f"Not drawn: {count(n_rest)} more, none of them larger." if n_rest else "",
    )


def _row(found: ColorFinding) -> ColorRow:
    words, colon, _ = found.sentence.partition(": class ")  # the audit's own words for region and feature
    train = Estimate(value=found.auroc, low=found.auroc_low, high=found.auroc_high, n=0)
    return ColorRow(
        class_name=found.class_name,
        words=words if colon else f"{found.region}, {found.feature}".replace("_", " ").capitalize(),
        train=train,
        test=found.test,
        train_tip=f"New training images: {number(train.value)} {number_interval(train)}",
        test_tip=f"Test images: {number(found.test.value)} {number_interval(found.test)}"
        if found.test
        else "",
        confirmed=found.confirmed,
        holds=found.holds_on_test,
    )


def _title(findings: Sequence[ColorFinding]) -> str:
    """How many features there are, and how many of them pay off on test."""
    n, tested = len(findings), [f for f in findings if f.holds_on_test is not None]
    start = f"{count(n)} color feature{' sets' if n == 1 else 's set'} a class apart in training"
    if not tested:
        return start
    n_held = sum(bool(f.holds_on_test) for f in tested)
    if n_held == n:
        return f"{start}, and on test images, too"
    held = (
        f"{count(n_held)} of them {'carries' if n_held == 1 else 'carry'}"
        if n_held
        else "none of them carries"
    )
    return f"{start}, {held} over to test images"
