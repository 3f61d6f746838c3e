"""Which cue to name first: the strongest, and under it those that tell nothing more.

Shape legend: N images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.types import BoolArray, Int64Array
from pipeline.cues.tell import Half, Kind, guess
from pipeline.data_audit.cues.tell import cross_guess, cut_to
from pipeline.records.base import Estimate
from pipeline.records.cues import CueFinding
from pipeline.settings.cues import CuesSettings
from pipeline.statistics.accuracy.balanced import balanced_accuracy_estimate, kappa_from_balanced
from pipeline.statistics.cues.agreement import chance_p, count_tables

if TYPE_CHECKING:
    from pipeline.data_audit.cues.audit import Tried

MOST_STRATA = 12  # the largest ones; a hundred classes would ask each pair of cues a hundred times
LEAST_CLASS = 5  # images of a class where the leader guesses the same, for the class to be told apart there
STRETCH = math.sqrt(2)  # of deviations under cross-fitting, as the color audit widens them
COLOR = "color"  # may be what a class looks like, but is judged by itself: what tells it stands by its size
Label = tuple[str, str | None]


def rank(
    findings: Sequence[CueFinding],
    tried: Mapping[Label, Tried],
    first_N: BoolArray,
    n_classes: int,
    settings: CuesSettings,
) -> list[CueFinding]:
    """Found cues that stand for themselves, each followed by those that it stands for; then all others.

    What a model can see and a class cannot truly look like comes first: it needs no second thought. What
    leaves no trace in pixels stands for nothing that does, or the cue that models use would go unsaid.
    """
    told = sorted((f for f in findings if f.found), key=lambda f: (-f.kappa.value, _breadth(f, tried)))
    leaders, under = list[CueFinding](), dict[str, tuple[str, Estimate]]()
    for finding in told:
        for leader in leaders:
            if finding.is_visible and not leader.is_visible:
                continue
            more, is_more = beyond(
                tried[_label(finding)], tried[_label(leader)], first_N, n_classes, settings
            )
            if is_more:
                continue
            can_lead = finding.is_visible or not leader.is_visible
            if can_lead and _names_it_better(finding, leader, tried, first_N, n_classes, settings):
                leaders[leaders.index(leader)] = finding
                under |= {name: (finding.name, e) for name, (of, e) in under.items() if of == leader.name}
                under[leader.name] = (finding.name, more)
            else:
                under[finding.name] = (leader.name, more)
            break
        else:
            leaders.append(finding)
    leaders.sort(key=lambda f: (f.may_be_content and f.name != COLOR, not f.is_visible, -f.kappa.value))
    ordered = list[CueFinding]()
    for leader in leaders:
        ordered += [
            leader,
            *(_put_under(f, under) for f in told if under.get(f.name, ("",))[0] == leader.name),
        ]
    rest = sorted((f for f in findings if not f.found), key=lambda f: -f.kappa.value)
    return ordered + rest


def beyond(
    cue: Tried, leader: Tried, first_N: BoolArray, n_classes: int, settings: CuesSettings
) -> tuple[Estimate, bool]:
    """What a cue tells of the class where the leader's guess is the same, and whether it is anything.

    The leader is fitted on the first half and guesses the second; there the cue is fitted and read within
    each guess, out of fold.
    """
    second = cue.train.take(~first_N)
    fit = leader.train.take(first_N)
    fit = cut_to(fit, settings.trees_max_train, settings.seed) if leader.kind == "trees" else fit
    strata_N = guess(leader.kind, fit, leader.train.inputs_ND[~first_N])
    tables: list[Int64Array] = []
    parts: list[tuple[int, Estimate]] = []
    values, sizes = np.unique(strata_N, return_counts=True)
    for value in values[np.argsort(-sizes, kind="stable")[:MOST_STRATA]]:
        rows = strata_N == value
        counts_K = np.bincount(second.labels_N[rows], minlength=n_classes)
        rows &= (counts_K >= LEAST_CLASS)[second.labels_N]
        if len(np.unique(second.labels_N[rows])) < 2:
            continue
        within = second.take(rows)
        predicted_N, folds_N = _guess_within(cue.kind, within, settings)
        tables += count_tables(predicted_N, within.labels_N, folds_N, n_classes)
        parts.append((int(rows.sum()), _kappa(predicted_N, within)))
    if not parts:
        return Estimate(value=0.0, low=0.0, high=0.0, n=0), False
    n = sum(k for k, _ in parts)
    value = sum(k * e.value for k, e in parts) / n
    below = math.hypot(*(k / n * (e.value - e.low) for k, e in parts)) * STRETCH
    above = math.hypot(*(k / n * (e.high - e.value) for k, e in parts)) * STRETCH
    more = Estimate(value=value, low=value - below, high=min(1.0, value + above), n=n)
    is_more = chance_p(tables, stretch=STRETCH) < settings.alpha / 2 and value >= settings.min_kappa
    return more, bool(is_more)


def _guess_within(kind: Kind, within: Half, settings: CuesSettings) -> tuple[Int64Array, Int64Array]:
    if kind != "trees":
        return cross_guess(kind, within, settings.folds, settings.seed)
    return cross_guess(kind, cut_to(within, settings.trees_max_train, settings.seed), 2, settings.seed)


def _kappa(predicted_N: Int64Array, half: Half) -> Estimate:
    _, codes_N, counts_K = np.unique(half.labels_N, return_inverse=True, return_counts=True)
    band = balanced_accuracy_estimate(np.bincount(codes_N, weights=predicted_N == half.labels_N), counts_K)
    low, value, high = (kappa_from_balanced(v, len(counts_K)) for v in (band.low, band.value, band.high))
    return Estimate(value=value, low=low, high=high, n=len(codes_N))


def _names_it_better(
    finding: CueFinding,
    leader: CueFinding,
    tried: Mapping[Label, Tried],
    first_N: BoolArray,
    n_classes: int,
    settings: CuesSettings,
) -> bool:
    """Whether the weaker one is the narrower of two that tell the same, and the stronger tells no more."""
    if _breadth(finding, tried) >= _breadth(leader, tried) or finding.kappa.high < leader.kappa.value:
        return False
    _, is_more = beyond(tried[_label(leader)], tried[_label(finding)], first_N, n_classes, settings)
    return not is_more


def _breadth(finding: CueFinding, tried: Mapping[Label, Tried]) -> int:
    return tried[_label(finding)].cue.breadth


def _label(finding: CueFinding) -> Label:
    return finding.name, finding.part


def _put_under(finding: CueFinding, under: Mapping[str, tuple[str, Estimate]]) -> CueFinding:
    leader, more = under[finding.name]
    return finding.model_copy(update={"under": leader, "beyond": more})
