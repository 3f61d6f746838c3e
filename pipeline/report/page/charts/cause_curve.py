"""Chart: how many training images are left out against the worst group, and which images these are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import count, percent
from pipeline.records.cause import RemovalCurve, RemovalVerdict, RemovedGroup
from pipeline.records.report import Report
from pipeline.records.training import Removal
from pipeline.report.page.charts.layout import Height, dodge, trace
from pipeline.report.page.charts.scales import Scale
from pipeline.verdict.phrases import REMOVAL_LABELS

HEIGHT = 240
ONLY_LABELS = "suspected"  # the kind that leaves out what looks mislabeled and nothing else
LABEL = 50  # pixels that a label of three lines takes
MIN_APART = 0.2  # of the axis, between the numbers below it
BAR = 0.5  # of the row's width, for the group that loses most images
MOST_GROUPS = 4  # rows of the removed images; the other groups share the last one


@dataclass(frozen=True)
class Dot:
    """Models without some images, all seeds together."""

    x: str
    y: float
    y_low: float  # of the highest seed
    y_high: float
    tip: str


@dataclass(frozen=True)
class KindLine:
    """One way of choosing which images are left out."""

    kind: str
    series: int  # of its color, from 1
    words: str
    points: str
    dots: list[Dot]
    y_label: float
    value: float | None  # at the chosen size; None where it was not tried
    leads: bool  # it ends at the axis's end: a line from there to its label is no part of the curve


@dataclass(frozen=True)
class RemovedRow:
    """The removed images of one training group."""

    name: str
    n: int
    n_wrong: int | None  # whose label looks wrong; None: not looked for
    right: str  # widths of the bar's two parts
    wrong: str
    tip: str


@dataclass(frozen=True)
class CauseCurve:
    title: str
    n_seeds: int  # trainings behind each point
    lines: list[KindLine]
    ticks: list[tuple[str, int]]  # positions and numbers of images
    heights: list[tuple[float, float]]  # pixels and accuracies
    height: int
    chosen: int
    chosen_x: str
    removed_title: str
    removed: list[RemovedRow]  # empty where nothing was left out


def cause_curve(report: Report) -> CauseCurve | None:
    """Of the first method that leaves images out; None without one."""
    tried = [(name, own.removal) for name, own in report.training.items() if own.removal is not None]
    name, removal = tried[0] if tried else ("", None)
    outcome = report.verdict.methods[name].removal if name in report.verdict.methods else None
    if removal is None or outcome is None or not outcome.curves:
        return None
    values = [v for curve in outcome.curves for v in curve.low if math.isfinite(v)] or [0.0]
    across = _across(outcome.curves, removal.chosen)
    up = Height(0.0 if min(values) < 0.5 else 0.5, 1.0, 12, HEIGHT - 12)
    return CauseCurve(
        title=_title(removal, outcome.curves),
        n_seeds=max((n for curve in outcome.curves for n in curve.n_seeds), default=0),
        lines=_lines(removal, outcome.curves, across, up),
        ticks=[(across.at(n), n) for n in map(int, across.ticks)],
        heights=[(up.at(v), v) for v in (up.low, (up.low + up.high) / 2, up.high)],
        height=HEIGHT,
        chosen=removal.chosen,
        chosen_x=across.at(removal.chosen),
        removed_title=_removed_title(removal, outcome) if removal.chosen else "",
        removed=_removed(outcome) if removal.chosen else [],
    )


# --- the curves ------------------------------------------------------------------------------


def _across(curves: Sequence[RemovalCurve], chosen: int) -> Scale:
    """From none to the most images, with at most three numbers."""
    most = max([n for curve in curves for n in curve.n_removed] + [chosen, 1])
    others = [n for n in (0, most) if abs(n - chosen) > MIN_APART * most]
    return Scale(0.0, float(most), tuple(float(n) for n in sorted([chosen, *others])))


def _lines(removal: Removal, curves: Sequence[RemovalCurve], across: Scale, up: Height) -> list[KindLine]:
    known = [curve for curve in curves if _points(curve)]
    ends = dodge([up.at(_points(curve)[-1][1]) for curve in known], LABEL, LABEL / 2, HEIGHT - LABEL / 2)
    return [
        KindLine(
            kind=curve.kind,
            series=_series(curve.kind),
            words=_label(removal, curve),
            points=trace([(_share(across, n), up.at(v)) for n, v in _points(curve)]),
            dots=_dots(removal, curve, across, up),
            y_label=y_label,
            value=_told(curve, removal.chosen),
            leads=_points(curve)[-1][0] == across.high,
        )
        for curve, y_label in zip(known, ends, strict=True)
    ]


def _points(curve: RemovalCurve) -> list[tuple[int, float]]:
    return [(n, v) for n, v in zip(curve.n_removed, curve.mean, strict=True) if math.isfinite(v)]


def _share(across: Scale, n: int) -> float:
    return float(across.at(n).rstrip("%")) / 100


def _series(kind: str) -> int:
    return list(REMOVAL_LABELS).index(kind) + 1 if kind in REMOVAL_LABELS else len(REMOVAL_LABELS) + 1


def _words(removal: Removal, kind: str) -> str:
    """Without groups to know, classes are what can be balanced."""
    words = REMOVAL_LABELS.get(kind, kind.replace("_", " "))
    return words.replace("groups", "classes") if removal.groups == "inferred" else words


def _label(removal: Removal, curve: RemovalCurve) -> str:
    words = _words(removal, curve.kind)
    return f"{words}, {count(curve.n_removed[-1])}" if curve.kind == ONLY_LABELS else words


def _at(curve: RemovalCurve, n: int) -> float | None:
    """The curve where `n` images are left out."""
    at = curve.n_removed.index(n) if n in curve.n_removed else None
    return curve.mean[at] if at is not None else None


def _told(curve: RemovalCurve, chosen: int) -> float | None:
    """The number beside a curve: where the chosen size is; suspected labels are what they are."""
    if not chosen:
        return None
    return curve.mean[-1] if curve.kind == ONLY_LABELS else _at(curve, chosen)


def _dots(removal: Removal, curve: RemovalCurve, across: Scale, up: Height) -> list[Dot]:
    dots = []
    for i, (n, mean) in enumerate(zip(curve.n_removed, curve.mean, strict=True)):
        if not math.isfinite(mean):
            continue
        words = f"{count(n)} left out, {_words(removal, curve.kind)}" if n else "nothing left out"
        n_seeds = curve.n_seeds[i]
        seeds = f"seeds {percent(curve.low[i])} to {percent(curve.high[i])}" if n_seeds > 1 else "one seed"
        tip = f"{words}: worst group on validation {percent(mean)} ({seeds})"
        dots.append(Dot(across.at(n), up.at(mean), up.at(curve.low[i]), up.at(curve.high[i]), tip))
    return dots


def _title(removal: Removal, curves: Sequence[RemovalCurve]) -> str:
    """What the chosen size does, beside leaving out as many others."""
    found = {curve.kind: curve for curve in curves}
    own = found.get("repair")
    before, after = (_at(own, 0), _at(own, removal.chosen)) if own else (None, None)
    if not removal.chosen or before is None or after is None:
        return _title_of_none(own)
    start = (
        f"On validation images, leaving out the {count(removal.chosen)} most harmful takes the worst group "
        f"from {percent(before, 0)} to {percent(after, 0)}"
    )
    if ONLY_LABELS in found:
        labels = found[ONLY_LABELS]
        return (
            f"{start}; leaving out only the {count(labels.n_removed[-1])} whose label looks wrong, to "
            f"{percent(labels.mean[-1], 0)}"
        )
    random = _at(found["random"], removal.chosen) if "random" in found else None
    return start if random is None else f"{start}; leaving out as many at random, to {percent(random, 0)}"


def _title_of_none(own: RemovalCurve | None) -> str:
    """Nothing was left out: the curve falls, or does not rise enough."""
    known = _points(own) if own else []
    if len(known) < 2 or known[-1][1] >= known[0][1]:
        return "No number of images left out is shown to help, so none was"
    (_, before), (n, after) = known[0], known[-1]
    return (
        f"Leaving out the {count(n)} images ranked most harmful takes the worst group from "
        f"{percent(before, 0)} down to {percent(after, 0)}: none is left out"
    )


# --- the removed images ----------------------------------------------------------------------


def _removed_title(removal: Removal, outcome: RemovalVerdict) -> str:
    start = f"The {count(removal.chosen)} images left out"
    if outcome.n_suspected is None:
        return f"{start}, by group"
    if not outcome.n_suspected:
        return f"{start}: no label looks wrong"
    verb = "has a label that looks" if outcome.n_suspected == 1 else "have a label that looks"
    return f"{start}: {count(outcome.n_suspected)} {verb} wrong"


def _removed(outcome: RemovalVerdict) -> list[RemovedRow]:
    """The groups that lose most images; the others in one row."""
    ranked = sorted((g for g in outcome.removed if g.n_removed), key=lambda g: -g.n_removed)
    if len(ranked) > MOST_GROUPS:
        shown, others = ranked[: MOST_GROUPS - 1], ranked[MOST_GROUPS - 1 :]
    else:
        shown, others = ranked, []
    most = max([g.n_removed for g in shown] + [sum(g.n_removed for g in others), 1])
    rows = [_removed_row(g.name, [g], most) for g in shown]
    if others:
        rows.append(_removed_row(f"{count(len(others))} other groups", others, most))
    return rows


def _removed_row(name: str, groups: Sequence[RemovedGroup], most: int) -> RemovedRow:
    n, n_wrong = sum(g.n_removed for g in groups), _wrong(groups)
    told = "" if n_wrong is None else f", the label of {count(n_wrong)} looks wrong"
    return RemovedRow(
        name=name,
        n=n,
        n_wrong=n_wrong,
        right=percent(BAR * (n - (n_wrong or 0)) / most, 2),
        wrong=percent(BAR * (n_wrong or 0) / most, 2),
        tip=f"{name}: {count(n)} left out{told}",
    )


def _wrong(groups: Sequence[RemovedGroup]) -> int | None:
    """How many removed images have a label that looks wrong; None where nobody looked."""
    known = [g.n_suspected for g in groups if g.n_suspected is not None]
    return sum(known) if known else None
