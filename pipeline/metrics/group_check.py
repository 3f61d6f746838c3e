"""Thinned training groups: how test groups' margins changed, against what scores foretold.

Shape legend: R trainings, N test images, H test groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.core.results import GroupChange, GroupCheck
from pipeline.core.types import Float64Array, Int64Array
from pipeline.metrics.intervals import Interval

_TAIL = 0.025
_LEAST_PAIRS = 4  # Fisher's z of fewer has no interval


@dataclass(frozen=True)
class Thinned:
    """One training group thinned to one share: what followed, and what had been foretold."""

    train_group: str
    kept: float
    n_removed: int
    margins_RN: Float64Array  # of the test images, after each training
    foretold_H: Float64Array  # minus the removed images' summed scores on each test group's mean margin


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
    changes, pairs = [], []
    for one in thinned:
        for group in np.unique(groups_N).tolist():
            inside = groups_N == group
            actual, half = _change(one.margins_RN[:, inside], reference_RN[:, inside])
            pairs.append((one.train_group, group))
            changes.append(
                GroupChange(
                    train_group=one.train_group,
                    test_group=names[group],
                    kept=one.kept,
                    n_removed=one.n_removed,
                    predicted=float(one.foretold_H[group]),
                    actual=actual,
                    low=actual - half,
                    high=actual + half,
                )
            )
    correlation = _pearson([c.predicted for c in changes], [c.actual for c in changes])
    interval = fisher_interval(correlation, len(set(pairs)))
    return GroupCheck(
        changes=changes,
        correlation=correlation,
        low=interval.low,
        high=interval.high,
        n_trainings=len(reference_RN) + sum(len(one.margins_RN) for one in thinned),
    )


def fisher_interval(correlation: float, n_pairs: int) -> Interval:
    """95 % interval of a Pearson correlation; all of [-1, 1] below `_LEAST_PAIRS` observations.

    A pair of train and test group counts once, however many shares it was thinned to: changes of one
    pair go up and down together and are no new evidence.

    Source: Fisher 1921 (z transformation).
    """
    if n_pairs < _LEAST_PAIRS or abs(correlation) >= 1:
        return Interval(-1.0, 1.0) if n_pairs < _LEAST_PAIRS else Interval(correlation, correlation)
    half = float(stats.norm.isf(_TAIL)) / math.sqrt(n_pairs - 3)
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
    squared = (float(stats.t.isf(_TAIL, freedom)) ** 2) * trainings
    squared += (float(stats.norm.isf(_TAIL)) ** 2) * images
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
