"""Which of the groups that the cue misleads pays for it, and which are low for another reason.

Shape legend: S seeds, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import GroupEstimate
from pipeline.records.data import ALIGNED
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.verdict import Status, Thresholds
from pipeline.statistics.cues.independence import compare_with_independence
from pipeline.statistics.cues.interaction import (
    Contrast,
    MeasuredGroups,
    difference_columns,
    interaction_weights,
)
from pipeline.verdict.evidence.rules import GroupedData, is_of_cue, judge_effect, misled_groups, weakest


@dataclass(frozen=True)
class Harm:
    """A misled group, and what it loses beyond what its attribute value costs other classes."""

    group: GroupEstimate
    same: GroupEstimate | None  # the same label where the cue is right
    gap: Contrast | None  # same minus group
    interaction: Contrast | None  # `gap` minus what the value costs classes that it does not mislead
    n_candidates: int

    def odds_decide(self, limits: Thresholds) -> bool:
        """Whether the loss shows in points, and not in odds."""
        if self.gap is None or self.interaction is None:
            return False
        parts = (self.gap.points, self.interaction.points)
        is_in_points = all(judge_effect(p.value, p.low, limits.min_effect) == "yes" for p in parts)
        return is_in_points and self.judge(limits) != "yes"

    def judge(self, limits: Thresholds) -> Status:
        """Harm shows in the label's own gap and in the interaction, on points and on log odds.

        "Equally much harder for every class" can be meant in points or in odds, and near 100 % the two
        differ: from 98 to 95 % and from 80 to 60 % the odds fall alike. Harm is what neither explains.
        """
        if self.gap is None or self.interaction is None:
            return "insufficient"
        odds = self.interaction.log_odds
        return weakest(
            judge_effect(self.gap.points.value, self.gap.points.low, limits.min_effect),
            judge_effect(self.interaction.points.value, self.interaction.points.low, limits.min_effect),
            judge_effect(odds.value, odds.low, 0.0),
        )


class _Table:
    """The groups of a dataset with their accuracies, in the dataset's order."""

    def __init__(self, info: GroupedData, evaluation: EvaluationResult, limits: Thresholds) -> None:
        test = evaluation.test
        self.infos = info.groups
        self.found = test.groups
        self.labels_G = _codes([group.label for group in self.infos])
        self.values_G = _codes([group.attribute for group in self.infos])
        self.enough_G = np.array([group.sufficient for group in self.found], bool)
        rows = [seed.groups for seed in test.per_seed]
        n_G = np.array([group.n for group in self.found], np.float64)
        weight_G = np.array([group.weight for group in self.found], np.float64)
        self.measured = MeasuredGroups(np.array(rows, np.float64), n_G, weight_G)
        self.misled_G = np.isin(np.arange(len(self.infos)), misled_groups(info))
        self.is_of_cue = is_of_cue(info)
        self.residual_G = compare_with_independence(info.groups).residual_G
        if self.is_of_cue:  # aligned images are where the cue is right, however many there are
            self.residual_G = np.array([1.0 if g.attribute == ALIGNED else -1.0 for g in self.infos])


def _codes(names: Sequence[str]) -> Int64Array:
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)


def find_harm(info: GroupedData, evaluation: EvaluationResult, limits: Thresholds) -> Harm | None:
    """The misled group that pays most; None where none has enough images.

    It is picked for the height of its interaction, among those that lie below their own label where that
    happens, and its intervals allow for that (`picked_quantile`). Where no interaction can be measured it
    is the misled group of the lowest accuracy, or, of a cue's groups, the one furthest below its own class.
    """
    table = _Table(info, evaluation, limits)
    rows = np.flatnonzero(table.misled_G & table.enough_G).tolist()
    planned = [(g, *_weights(table, g)) for g in rows]
    # two classes with two values have one interaction, whichever of them is called the victim
    distinct = {tuple(np.round(weights_G, 9)) for _, _, weights_G in planned if weights_G is not None}
    n_picked = max(1, len(distinct))
    harms = [_measure(table, g, same, weights_G, (n_picked, len(rows))) for g, same, weights_G in planned]
    rank = _rank_of_cue if table.is_of_cue else _rank
    return max(harms, key=lambda harm: rank(harm, limits), default=None)


def unanswered_groups(
    info: GroupedData, evaluation: EvaluationResult, limits: Thresholds
) -> list[GroupEstimate]:
    """Misled groups of which nothing can be said: too few images of them or of their rivals."""
    table = _Table(info, evaluation, limits)
    return [
        table.found[g]
        for g in np.flatnonzero(table.misled_G).tolist()
        if not table.enough_G[g] or _weights(table, g)[1] is None
    ]


def _guided(table: _Table, paying: int) -> int | None:
    """The same label where the cue is right: of its groups that are more frequent than independence
    would make them, the one with the most training images; None if that has too few test images.
    """
    same_label_G = table.labels_G == table.labels_G[paying]
    guided = np.flatnonzero(same_label_G & (table.residual_G > 0)).tolist()
    best = max(guided, key=lambda g: table.infos[g].n_train, default=None)
    return best if best is not None and table.enough_G[best] else None


def _weights(table: _Table, paying: int) -> tuple[int | None, Float64Array | None]:
    """The group to hold against, and the interaction's weights.

    A class that the same value misleads as well pays for the cue itself, so it cannot say what the value
    costs without one.
    """
    same = _guided(table, paying)
    if same is None:
        return None, None
    also_misled_G = table.misled_G & (table.values_G == table.values_G[paying])
    weights_G = interaction_weights(
        table.labels_G,
        table.values_G,
        paying=paying,
        reference=same,
        comparable_G=table.enough_G & ~also_misled_G,
    )
    return same, weights_G


def _measure(
    table: _Table, paying: int, same: int | None, weights_G: Float64Array | None, counts: tuple[int, int]
) -> Harm:
    n_picked, n_candidates = counts
    gap = None
    if same is not None:
        gap_G = np.zeros(len(table.infos))
        gap_G[same], gap_G[paying] = 1.0, -1.0
        gap = table.measured.contrast(gap_G, n_picked=n_candidates)
    return Harm(
        group=table.found[paying],
        same=table.found[same] if same is not None else None,
        gap=gap,
        interaction=None if weights_G is None else table.measured.contrast(weights_G, n_picked=n_picked),
        n_candidates=n_candidates,
    )


def _rank(harm: Harm, limits: Thresholds) -> tuple[bool, float, float]:
    if harm.gap is None or harm.interaction is None:
        return False, -np.inf, -harm.group.value
    is_below = harm.gap.points.value >= limits.min_effect
    return is_below, round(harm.interaction.points.value, 9), -harm.group.value


def _rank_of_cue(harm: Harm, limits: Thresholds) -> tuple[bool, float, float]:
    """All classes are misled in their conflicting images, so none tells what these cost without a cue."""
    if harm.gap is None:
        return False, -np.inf, -harm.group.value
    return True, round(harm.gap.points.value, 9), -harm.group.value


# --- low for another reason --------------------------------------------------------------------


@dataclass(frozen=True)
class Hardness:
    """An attribute value that is harder in every class, or a class that is harder with every value."""

    name: str
    cost: Contrast
    n_strata: int


def hard_values(info: GroupedData, evaluation: EvaluationResult, limits: Thresholds) -> Iterator[Hardness]:
    """Attribute values that are harder in every class."""
    table = _Table(info, evaluation, limits)
    names = sorted({group.attribute for group in table.infos})
    for code, name in enumerate(names):
        found = _hardness(table, table.values_G == code, table.labels_G, (name, len(names)), limits)
        if found is not None:
            yield found


def hard_class(
    info: GroupedData, evaluation: EvaluationResult, label: str, limits: Thresholds
) -> Hardness | None:
    """The class, if it is harder with every attribute value."""
    table = _Table(info, evaluation, limits)
    inside_G = np.array([group.label == label for group in table.infos], bool)
    n = len({group.label for group in table.infos})
    return _hardness(table, inside_G, table.values_G, (label, n), limits)


def _hardness(
    table: _Table, inside_G: BoolArray, strata_G: Int64Array, who: tuple[str, int], limits: Thresholds
) -> Hardness | None:
    """Lower in every stratum, and clearly so when the stratum that shows it most is left out."""
    name, n_picked = who
    kept = np.flatnonzero(table.enough_G)
    weight_G = np.array([table.found[g].weight for g in kept], np.float64)
    measured = MeasuredGroups(table.measured.accuracy_SG[:, kept], table.measured.n_G[kept], weight_G)
    columns_GC = difference_columns(inside_G[kept], strata_G[kept])
    if columns_GC.shape[1] < 2:
        return None
    costs_C = measured.accuracy_SG.mean(axis=0) @ columns_GC
    rest_GC = np.delete(columns_GC, int(costs_C.argmax()), axis=1)
    rest = measured.contrast(rest_GC.mean(axis=1), n_picked=n_picked).points
    if costs_C.min() <= 0 or judge_effect(rest.value, rest.low, limits.min_effect) != "yes":
        return None
    whole = measured.contrast(columns_GC.mean(axis=1), n_picked=n_picked)
    return Hardness(name, whole, columns_GC.shape[1])
