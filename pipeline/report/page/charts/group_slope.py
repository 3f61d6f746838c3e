"""Chart: what the chosen method changes, one line a group from the baseline to the method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.core.words import count, points, quoted, spelled
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import GroupComparison, MethodComparison
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import chosen_comparison, group_accuracy, is_measured, losses
from pipeline.report.page.charts.layout import Height, accuracy_height, dodge
from pipeline.verdict.phrases import accuracy_phrase, method_label, points_phrase

MOST_LINES = 6
LABEL = 36  # pixels that a label of two lines takes
VALUE = 17  # and one of one line
SHIFT = 6  # between lines, so that the intervals at their ends do not cover each other

Turn = Literal["harmed", "costs", "other"]


@dataclass(frozen=True)
class End:
    """A group under one method."""

    estimate: GroupEstimate
    y: float
    y_low: float
    y_high: float
    y_label: float
    tip: str


@dataclass(frozen=True)
class SlopeLine:
    name: str
    turn: Turn
    before: End
    after: End
    change: Estimate  # paired
    shift: float  # pixels to the right
    note: str  # beside the label: what it costs the group
    tip: str


@dataclass(frozen=True)
class GroupSlope:
    title: str
    before: str  # methods
    after: str
    position: int  # of the method after: its color and mark
    lines: list[SlopeLine]
    height: int
    rest: str  # what is not drawn


def group_slope(report: Report) -> GroupSlope | None:
    """None where nothing was compared with the baseline."""
    found = chosen_comparison(report)
    if found is None:
        return None
    changes = [change for change in _by_weight(report, found) if _is_drawn(report, found, change)]
    if not changes:
        return None
    drawn = changes[:MOST_LINES]
    return GroupSlope(
        title=_title(report, found),
        before=found.baseline,
        after=found.method,
        position=list(report.methods).index(found.method),
        lines=_lines(report, found, drawn),
        height=_height(len(drawn)),
        rest=_rest(changes[MOST_LINES:]),
    )


def _is_drawn(report: Report, found: MethodComparison, change: GroupComparison) -> bool:
    return all(is_measured(group_accuracy(report, m, change.index)) for m in (found.baseline, found.method))


def _by_weight(report: Report, found: MethodComparison) -> list[GroupComparison]:
    """The harmed group, the method's worst, what it costs, then the largest changes; thin groups last."""
    worst = report.methods[found.method].test.worst_group.index
    lost = [g.index for g in losses(report, found)]

    def weight(change: GroupComparison) -> tuple[bool, bool, bool, bool, float]:
        return (
            change.index != found.group_index,
            not change.sufficient,
            change.index != worst,
            change.index not in lost,
            -abs(change.gain.value),
        )

    return sorted(found.groups, key=weight)


def _height(n_lines: int) -> int:
    return max(220, 30 + LABEL * n_lines)


def _lines(report: Report, found: MethodComparison, changes: Sequence[GroupComparison]) -> list[SlopeLine]:
    pairs = [
        (group_accuracy(report, found.baseline, c.index), group_accuracy(report, found.method, c.index))
        for c in changes
    ]
    height = _height(len(changes))
    scale = accuracy_height([e.low for pair in pairs for e in pair], 14, height - 14)
    left = dodge([scale.at(before.value) for before, _ in pairs], VALUE, VALUE / 2, height - VALUE / 2)
    right = dodge([scale.at(after.value) for _, after in pairs], LABEL, LABEL / 2, height - LABEL / 2)
    lost = {g.index: g for g in losses(report, found)}
    low_first = sorted(range(len(right)), key=lambda i: -right[i])  # so that leaders to labels do not cross
    shifts = {i: SHIFT * (rank - (len(changes) - 1) / 2) for rank, i in enumerate(low_first)}
    lines = []
    for i, (change, (before, after)) in enumerate(zip(changes, pairs, strict=True)):
        costs = change.index in lost
        lines.append(
            SlopeLine(
                name=change.name,
                turn="costs" if costs else "harmed" if change.index == found.group_index else "other",
                before=_end(before, found.baseline, scale, left[i]),
                after=_end(after, found.method, scale, right[i]),
                change=change.gain,
                shift=shifts[i],
                note=_note(change, lost.get(change.index)),
                tip=f"{change.name}: {points_phrase(change.gain)}",
            )
        )
    return lines


def _note(change: GroupComparison, loss: Estimate | None) -> str:
    if loss is not None:
        return f"costs {size(loss)}"
    return "" if change.sufficient else "too few images"


def _end(estimate: GroupEstimate, method: str, scale: Height, y_label: float) -> End:
    return End(
        estimate=estimate,
        y=scale.at(estimate.value),
        y_low=scale.at(estimate.low),
        y_high=scale.at(estimate.high),
        y_label=y_label,
        tip=f"{method_label(method)}, {estimate.name}: {accuracy_phrase(estimate)}",
    )


def size(change: Estimate) -> str:
    """ "8 points", without a sign; below one point with a digit."""
    text = points(abs(change.value), 0 if abs(change.value) >= 0.01 else 1).lstrip("+")
    return f"{text} point{'' if text == '1' else 's'}"


def _title(report: Report, found: MethodComparison) -> str:
    name, group, lost = method_label(found.method), quoted(found.group, 40), losses(report, found)
    if found.p_value is None:
        return f"Too few trainings to tell whether {name} lifts {group}"
    if found.gain.low > 0:
        start = f"{name} lifts {group} by {size(found.gain)}"
    else:
        start = f"{name} is not shown to lift {group}"
    if len(lost) == 1:
        return f"{start} and costs {quoted(lost[0].name, 40)} {size(lost[0])}"
    if lost:
        least, most = size(lost[-1]).split()[0], size(lost[0])
        span = f"{most} each" if least == most.split()[0] else f"{least} to {most}"
        return f"{start} and costs {spelled(len(lost))} groups {span}"
    return f"{start}; no group is shown to lose"


def _rest(others: Sequence[GroupComparison]) -> str:
    """What the groups that are not drawn do."""
    if not others:
        return ""
    known = [g.gain.value for g in others if g.sufficient]
    thin = len(others) - len(known)
    parts = []
    if known:
        span = f"{points(min(known), 0)} to {points(max(known), 0)} points"
        parts.append(f"{count(len(known))} group{'' if len(known) == 1 else 's'}, {span}")
    if thin:
        parts.append(f"{count(thin)} with too few test images to tell")
    return f"Not drawn: {'; '.join(parts)}."
