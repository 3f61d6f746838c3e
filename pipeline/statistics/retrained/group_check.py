"""Thinned training groups: how test groups' margins changed, against what scores foretold.

Shape legend: R trainings, N test images, H test groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.attribution import GroupChange, GroupCheck
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf, t_isf
from pipeline.statistics.intervals import Interval

_TAIL = 0.025
_LEAST_PAIRS = 4  # Fisher's z of fewer has no interval
_SURE = 0.999  # larger correlations of a cell count as this one: z has no end
_LEAST_FREEDOM = 4  # of correlations within cells together: fewer say nothing in either direction


@dataclass(frozen=True)
class Thinned:
    """One training group thinned to one share: what followed, and what had been foretold."""

    group: int
    kept: float
    n_removed: int
    margins_RN: Float64Array  # of the test images, after each training
    foretold_H: Float64Array  # minus the removed images' summed scores on each test group's mean margin
    rule_H: Float64Array  # what the rule that knows groups only says of each: minus `group_rule`'s row


def group_check(
    thinned: Sequence[Thinned], reference_RN: Float64Array, groups_N: Int64Array, names: Sequence[str]
) -> GroupCheck:
    """Foretold against actual change of every test group's mean margin, and their correlation.

    Scores are of the margin: removing images with positive scores lowers it. Test groups without images
    are left out.

    Args:
        reference_RN: margins after trainings on all images.
        groups_N: of the test images.
        names: of the H groups.

    Raises:
        InputError: nothing was thinned, fewer than two trainings of something, or shapes that differ.
    """
    _check(thinned, reference_RN, groups_N, names)
    changes, pairs, told = [], [], []
    for one in thinned:
        for group in np.unique(groups_N).tolist():
            inside = groups_N == group
            actual, half = _change(one.margins_RN[:, inside], reference_RN[:, inside])
            pairs.append((one.group, group))
            told.append(float(one.rule_H[group]))
            changes.append(
                GroupChange(
                    train_index=one.group,
                    test_index=group,
                    train_group=names[one.group],
                    test_group=names[group],
                    kept=one.kept,
                    n_removed=one.n_removed,
                    predicted=float(one.foretold_H[group]),
                    actual=actual,
                    low=actual - half,
                    high=actual + half,
                )
            )
    came, n_pairs = [c.actual for c in changes], len(set(pairs))
    own = _correlate([c.predicted for c in changes], came, n_pairs)
    by_rule = [(1 - c.kept) * sign for c, sign in zip(changes, told, strict=True)]
    beyond = correlation_within(changes, told)
    return GroupCheck(
        changes=changes,
        correlation=own.value,
        low=own.low,
        high=own.high,
        n_trainings=len(reference_RN) + sum(len(one.margins_RN) for one in thinned),
        rule=_correlate(by_rule, came, n_pairs),
        beyond=beyond,
        beyond_reason=None if beyond else "too few pairs of groups of which the rule says the same",
    )


def correlation_within(changes: Sequence[GroupChange], told: Sequence[float]) -> Estimate | None:
    """Correlation of foretold and actual changes among those of which the rule says the same.

    Each cell (what the rule says, share kept) has its own correlation; they are averaged as Fisher's z,
    weighted by their freedom, so that a cell of large changes counts no more than others. Shares of one
    pair of groups are no new evidence: each share counts as its part of one.

    Args:
        told: what the rule says of each change: 1, -1 or 0.

    Returns:
        the correlation with its 95 % interval, n = pairs; None where too few pairs are left.
    Source: Fisher 1921 (z transformation, combined over samples).
    """
    total, freedom, n_used = 0.0, 0.0, 0.0
    n_shares = len({c.kept for c in changes})
    for cell in sorted({(sign, c.kept) for sign, c in zip(told, changes, strict=True)}):
        inside = [c for sign, c in zip(told, changes, strict=True) if (sign, c.kept) == cell]
        r = _pearson([c.predicted for c in inside], [c.actual for c in inside])
        if len(inside) >= _LEAST_PAIRS:
            weight = (len(inside) - 3) / n_shares
            total += weight * math.atanh(float(np.clip(r, -_SURE, _SURE)))
            freedom += weight
            n_used += len(inside) / n_shares
    if freedom < _LEAST_FREEDOM:
        return None
    center, half = total / freedom, float(normal_isf(_TAIL)) / math.sqrt(freedom)
    low, value, high = (math.tanh(z) for z in (center - half, center, center + half))
    return Estimate(value=value, low=low, high=high, n=round(n_used))


def _correlate(first: Sequence[float], second: Sequence[float], n_pairs: int) -> Estimate:
    value = _pearson(first, second)
    interval = fisher_interval(value, n_pairs)
    return Estimate(value=value, low=interval.low, high=interval.high, n=n_pairs)


def fisher_interval(correlation: float, n_pairs: int) -> Interval:
    """95 % interval of a Pearson correlation; all of [-1, 1] below `_LEAST_PAIRS` observations.

    A pair of train and test group counts once, however many shares it was thinned to: changes of one
    pair go up and down together and are no new evidence.

    Source: Fisher 1921 (z transformation).

    >>> [round(end, 3) for end in fisher_interval(0.8, 12)]
    [0.418, 0.942]
    """
    if n_pairs < _LEAST_PAIRS or abs(correlation) >= 1:
        return Interval(-1.0, 1.0) if n_pairs < _LEAST_PAIRS else Interval(correlation, correlation)
    half = float(normal_isf(_TAIL)) / math.sqrt(n_pairs - 3)
    center = math.atanh(correlation)
    return Interval(math.tanh(center - half), math.tanh(center + half))


def _change(after_RN: Float64Array, before_RN: Float64Array) -> tuple[float, float]:
    """Change of the mean margin, and half of its 95 % interval for new trainings and test images.

    Welch's t over trainings; the images' part is the spread of their own changes, without what chance
    in the trainings adds to it.
    """
    sides = [values.astype(np.float64) for values in (after_RN, before_RN)]
    change = float(sides[0].mean() - sides[1].mean())
    parts = [float(side.mean(axis=1).var(ddof=1)) / len(side) for side in sides]
    trainings = sum(parts)
    freedom = (
        trainings**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
        if trainings > 0
        else 1.0
    )
    images = _image_variance(sides[0], sides[1])
    squared = (float(t_isf(_TAIL, freedom)) ** 2) * trainings
    squared += (float(normal_isf(_TAIL)) ** 2) * images
    return change, math.sqrt(squared)


def _image_variance(after_RN: Float64Array, before_RN: Float64Array) -> float:
    """Variance of the mean change over images, beyond what repeats of the trainings explain."""
    n = after_RN.shape[1]
    if n < 2:
        return 0.0
    spread = float((after_RN.mean(axis=0) - before_RN.mean(axis=0)).var(ddof=1))
    chance = 0.0
    for side_RN in (after_RN, before_RN):
        own_RN = side_RN - side_RN.mean(axis=1, keepdims=True) - side_RN.mean(axis=0) + side_RN.mean()
        chance += float((own_RN**2).sum()) / ((n - 1) * (len(side_RN) - 1)) / len(side_RN)
    return float(max(0.0, spread - chance) / n)


def _pearson(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson correlation; 0 where one side does not vary: it says nothing about the other."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _check(
    thinned: Sequence[Thinned], reference_RN: Float64Array, groups_N: Int64Array, names: Sequence[str]
) -> None:
    if not thinned:
        raise InputError("no group was thinned: retrain.thin_keep is empty, or every group has no images.")
    for margins_RN in (reference_RN, *(one.margins_RN for one in thinned)):
        if len(margins_RN) < 2 or margins_RN.shape[1] != len(groups_N):
            raise InputError(
                f"margins of shape {margins_RN.shape}: needs two trainings or more (retrain.thin_repeats) "
                f"of {len(groups_N)} test images."
            )
    for one in thinned:
        if one.foretold_H.shape != (len(names),):
            raise InputError(f"{one.foretold_H.shape} predictions for {len(names)} test groups.")
