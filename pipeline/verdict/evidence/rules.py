"""What counts as evidence: thresholds, the common rule for effects, and interval arithmetic.

Each rung of the ladder answers yes, no or insufficient, the last one also partly. One rule holds for
every effect: *yes* when it is at least the size that matters and its interval excludes zero;
*insufficient* when it is that large but the interval does not exclude zero, when images are too few, or
when a part was not run; *no* otherwise.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from pipeline.records.base import GroupEstimate
from pipeline.records.data import CONFLICTING, AttributeInfo, GroupInfo
from pipeline.records.evaluation import SplitMetrics
from pipeline.records.verdict import Status, Thresholds
from pipeline.statistics import picked
from pipeline.statistics.accuracy.worst_group import lowest_of
from pipeline.statistics.cues.independence import compare_with_independence
from pipeline.statistics.intervals import widen

MIN_SEEDS = picked.MIN_SEEDS  # trainings that rungs about training need
MIN_CRAMERS_V = 0.1  # Cohen's "small" for one degree of freedom
MISLED_RATIO = 0.8  # of the training images that independence would give: a group with more is not misled
MISLED_RESIDUAL = -2.0  # adjusted residual: a shortage smaller than this could be chance


class GroupedData(Protocol):
    """What the rungs read of a dataset: its card, or what a look ahead says of it."""

    @property
    def attributes(self) -> list[AttributeInfo]: ...

    @property
    def groups(self) -> list[GroupInfo]: ...


def choose_thresholds(*, min_effect: float, min_test: int, min_val: int, min_kappa: float) -> Thresholds:
    """What the settings and the literature say counts."""
    return Thresholds(
        min_effect=min_effect,
        min_test=min_test,
        min_val=min_val,
        min_kappa=min_kappa,
        min_cramers_v=MIN_CRAMERS_V,
        alpha=0.05,
        min_seeds=MIN_SEEDS,
    )


def judge_effect(value: float, low: float, threshold: float) -> Status:
    """The common rule for an effect where positive is evidence (`low` is its lower bound)."""
    if not (math.isfinite(value) and math.isfinite(low)):
        return "insufficient"
    if value < threshold:
        return "no"
    return "yes" if low > 0 else "insufficient"


def strongest(*statuses: Status | None) -> Status:
    """ "yes" if any is, else "insufficient" if any is, else "no"; None is left out."""
    order: tuple[Status, ...] = ("yes", "partly", "insufficient", "no")
    return next(status for status in order if status in statuses)


def weakest(*statuses: Status | None) -> Status:
    """ "no" if any is, else "insufficient" if any is, else "yes"; None is left out."""
    order: tuple[Status, ...] = ("no", "insufficient", "partly", "yes")
    return next(status for status in order if status in statuses)


def counted_groups(test: SplitMetrics) -> list[GroupEstimate]:
    """The groups with enough test images."""
    return [group for group in test.groups if group.sufficient]


def misled_groups(info: GroupedData) -> list[int]:
    """Groups, by index, in which the cue points the wrong way: label and attribute value rarely go together.

    A group is misled when it has clearly fewer training images than label and attribute being
    independent would give: at most `MISLED_RATIO` of them, and an adjusted residual below
    `MISLED_RESIDUAL`. Where the attribute says nothing about the label, no group is. Where a cue's own guess
    forms the groups, its conflicting images are.
    """
    if is_of_cue(info):
        return [g for g, group in enumerate(info.groups) if group.attribute == CONFLICTING and group.n_train]
    return [group for group, residual in _rare_groups(info) if residual <= MISLED_RESIDUAL]


def is_of_cue(info: GroupedData) -> bool:
    """Whether the groups are a class's images whose class a cue names (aligned), and others (conflicting)."""
    return bool(info.attributes) and info.attributes[0].origin == "cue"


def perhaps_misled_groups(info: GroupedData) -> list[int]:
    """Groups, by index, as rare as misled ones, where training images are too few to tell it from chance."""
    return [group for group, residual in _rare_groups(info) if residual > MISLED_RESIDUAL]


def _rare_groups(info: GroupedData) -> list[tuple[int, float]]:
    """Groups with at most `MISLED_RATIO` of what independence would give: index and adjusted residual."""
    if not info.attributes or info.attributes[0].origin != "annotated":
        return []
    expected_G, residual_G = compare_with_independence(info.groups)
    return [
        (g, float(residual_G[g]))
        for g, group in enumerate(info.groups)
        if group.n_train <= MISLED_RATIO * expected_G[g]
    ]


def worst_enough_group(test: SplitMetrics, limits: Thresholds) -> GroupEstimate | None:
    """The lowest of the groups that a limit protects, as it is printed.

    For the gate, which fails for groups too small to count unless told to let them be: where only these
    lie below the average it still holds the others to the limit, while everybody else names the split's
    worst group. None where fewer than two groups have enough images.
    """
    counted = counted_groups(test)
    if len(counted) < 2:
        return None
    accuracy_G = np.array([group.value for group in test.groups])
    lowest = lowest_of(accuracy_G, [group.index for group in counted]).group
    return printed(test.groups[lowest], test, limits)


def printed_groups(test: SplitMetrics, limits: Thresholds) -> list[GroupEstimate]:
    """Every group as it is printed, in the data's order."""
    return [printed(group, test, limits) for group in test.groups]


def printed(group: GroupEstimate, test: SplitMetrics, limits: Thresholds) -> GroupEstimate:
    """The group with the one interval that people get to see.

    It allows for the group being picked from those that the worst is chosen from (one with too few images for
    that: from all that have any), however it was picked: the same number would otherwise stand with one
    interval among the groups and with another as the worst, as the one that pays or in a headline.
    """
    if group.index == test.worst_group.index:
        return test.worst_group
    is_considered = group.index in test.considered
    n = len(test.considered) if is_considered else sum(other.n > 0 for other in test.groups)
    wide = widen(group, n_comparisons=n, alpha=limits.alpha)
    return group.model_copy(update={"low": max(wide.low, 0.0), "high": min(wide.high, 1.0)})
