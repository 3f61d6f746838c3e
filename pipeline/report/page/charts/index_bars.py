"""Chart of an index card: what the worst group of each method gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.words import percent
from pipeline.records.base import GroupEstimate
from pipeline.report.page.charts.chosen import is_measured
from pipeline.verdict.phrases import TOO_FEW, accuracy_phrase, method_label

MOST_BARS = 4


@dataclass(frozen=True)
class Bar:
    method: str
    position: int  # its color and mark
    group: str
    value: float
    width: str  # of the card, as are the ends of the interval
    low: str
    high: str
    is_thin: bool
    tip: str


@dataclass(frozen=True)
class IndexBars:
    title: str
    bars: list[Bar]
    rest: str


def index_bars(worst_groups: Mapping[str, GroupEstimate], chosen: str | None) -> IndexBars | None:
    """The baseline, the method that validation chose, then the best others; None where none was evaluated.

    Args:
        worst_groups: method -> its worst group on test, the baseline first.
    """
    known = {m: worst for m, worst in worst_groups.items() if is_measured(worst)}
    if not known:
        return None
    baseline, *others = known
    best = sorted(others, key=lambda m: (m != chosen, -known[m].value))
    drawn = [baseline, *best[: MOST_BARS - 1]]
    positions = {m: i for i, m in enumerate(worst_groups)}
    n_rest = len(known) - len(drawn)
    return IndexBars(
        title=_title(known, baseline, chosen),
        bars=[_bar(m, positions[m], known[m]) for m in drawn],
        rest=f"and {n_rest} other method{'' if n_rest == 1 else 's'}" if n_rest else "",
    )


def _bar(method: str, position: int, worst: GroupEstimate) -> Bar:
    return Bar(
        method=method,
        position=position,
        group=worst.name,
        value=worst.value,
        width=_share(worst.value),
        low=_share(worst.low),
        high=_share(worst.high),
        is_thin=not worst.sufficient,
        tip=f"{method_label(method)}, its worst group {worst.name}: {accuracy_phrase(worst)}"
        f"{'' if worst.sufficient else f', {TOO_FEW}'}",
    )


def _share(value: float) -> str:
    return percent(min(max(value, 0.0), 1.0), 2)


def _title(known: Mapping[str, GroupEstimate], baseline: str, chosen: str | None) -> str:
    """The worst group of the baseline and of the chosen method."""
    start = f"Worst group: {percent(known[baseline].value, 0)} with {method_label(baseline)}"
    if chosen not in known or chosen is None or chosen == baseline:
        return start
    return f"{start}, {percent(known[chosen].value, 0)} with {method_label(chosen)}"
