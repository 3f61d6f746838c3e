"""Do predictions go where a cue points: after exchanges in both directions, and on images as they are.

A value of a cue *favors* the classes that training shows with it more often than chance. Exchanges that
only make images strange push predictions too, but not towards the class of whatever was put in: every
number here is a shift towards the donor's favored classes, beyond a control whose donor has the image's
own value, with images of either kind of class counted alike, so that lost accuracy cancels out.

Shape legend: S models (seeds), N images, K classes, V values of the cue.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.distributions import normal_isf
from pipeline.statistics.intervals import MeanVariance, clip_difference, mean_variance, seed_half_width

MIN_CELL = 10  # images; a smaller cell is not given the weight of a large one


class Shifts(NamedTuple):
    """Towards the donors' favored classes, beyond the control, in [-1, 1]."""

    up: Estimate  # donors whose value comes later in the list of values
    down: Estimate
    size: Estimate  # both directions; also what the own value's classes lose
    is_balanced: bool  # both kinds of class were there in both directions: lost accuracy cancels out


def favored_classes(labels_N: Int64Array, values_N: Int64Array, n_classes: int, n_values: int) -> BoolArray:
    """V x K: classes that go with a value more often than they would by chance."""
    table_KV = np.zeros((n_classes, n_values))
    np.add.at(table_KV, (labels_N, values_N), 1.0)
    expected_KV = np.outer(table_KV.sum(axis=1), table_KV.sum(axis=0)) / max(len(labels_N), 1)
    favored: BoolArray = (table_KV > expected_KV).T
    return favored


def exchange_shifts(
    exchanged_SN: Int64Array,
    control_SN: Int64Array,
    labels_N: Int64Array,
    values_N: Int64Array,
    donor_values_N: Int64Array,
    favored_VK: BoolArray,
    *,
    seed: int,
    sources_N: Int64Array | None = None,
) -> Shifts | None:
    """Shifts of predicted classes by an exchange in both directions; None where one cannot be seen.

    Pairs of values that favor the same classes are left out. In each direction the images whose own
    label goes with their value and those whose label goes with the donor's count alike: losing accuracy
    moves the first towards the donor's classes and the second away from them.
    """
    to_donor_NK = favored_VK[donor_values_N] & ~favored_VK[values_N]
    to_own_NK = favored_VK[values_N] & ~favored_VK[donor_values_N]
    rows = np.flatnonzero(to_donor_NK.any(axis=1) & to_own_NK.any(axis=1))
    up_n = donor_values_N[rows] > values_N[rows]
    if not up_n.any() or up_n.all():
        return None
    kind_n = np.where(to_own_NK[rows, labels_N[rows]], 0, np.where(to_donor_NK[rows, labels_N[rows]], 1, 2))
    strata_n, kept_n, is_balanced = _strata(kind_n, up_n)

    def hits(predicted_SN: Int64Array, wanted_NK: BoolArray) -> Float64Array:
        found: Float64Array = wanted_NK[rows, predicted_SN[:, rows]].astype(np.float64)
        return found

    def change(before_Sn: Float64Array, after_Sn: Float64Array, among_n: BoolArray) -> Estimate:
        return paired_change(
            before_Sn[:, among_n],
            after_Sn[:, among_n],
            strata_n[among_n],
            seed=seed,
            equal_groups=True,
            sources_N=None if sources_N is None else sources_N[rows][among_n],
        )

    before, after = hits(control_SN, to_donor_NK), hits(exchanged_SN, to_donor_NK)
    kept, lost = hits(control_SN, to_own_NK), hits(exchanged_SN, to_own_NK)
    size = change((1 + before - kept) / 2, (1 + after - lost) / 2, kept_n)
    return Shifts(
        change(before, after, kept_n & up_n), change(before, after, kept_n & ~up_n), size, is_balanced
    )


def _strata(kind_n: Int64Array, up_n: BoolArray) -> tuple[Int64Array, BoolArray, bool]:
    """Which images count, in strata of equal weight: direction x kind of class, else direction alone."""
    counts = np.bincount(2 * np.minimum(kind_n, 1)[kind_n < 2] + up_n[kind_n < 2], minlength=4)
    if counts.min() >= MIN_CELL:
        return 2 * kind_n + up_n, kind_n < 2, True
    return up_n.astype(np.int64), np.ones(len(kind_n), bool), False


def natural_shift(
    predicted_SN: Int64Array,
    labels_N: Int64Array,
    values_N: Int64Array,
    favored_VK: BoolArray,
    sources_N: Int64Array | None = None,
) -> Estimate | None:
    """How much more often images as they are get a value's favored classes than others of their class.

    The mean over values and classes of P(favored | class, value) - P(favored | class, another value).
    What exchanged images alone show and these do not is owed to the exchange. None where no class has
    `MIN_CELL` images with a value and without it. Differences of values are not independent, so the
    variance of their mean is taken to be the mean of theirs.
    """
    found = [
        _one_value(predicted_SN, labels_N, values_N == value, favored_K, sources_N)
        for value, favored_K in enumerate(favored_VK)
        if favored_K.any() and not favored_K.all()
    ]
    parts = [part for part in found if part is not None]
    if not parts:
        return None
    per_seed_S = np.mean([part[0] for part in parts], axis=0)
    n_seeds, value = len(per_seed_S), float(per_seed_S.mean())
    spread = float(per_seed_S.var(ddof=1)) / n_seeds if n_seeds > 1 else 0.0
    variance = MeanVariance(images=float(np.mean([part[1] for part in parts])), seeds=spread)
    squared = float(normal_isf(0.025)) ** 2 * variance.images
    if n_seeds > 1:
        squared += seed_half_width(variance, n_seeds, 0.025, room=0.25) ** 2
    half = math.sqrt(squared)
    estimate = Estimate(value=value, low=value - half, high=value + half, n=len(labels_N))
    return clip_difference(estimate)


def _one_value(
    predicted_SN: Int64Array,
    labels_N: Int64Array,
    has_value_N: BoolArray,
    favored_K: BoolArray,
    sources_N: Int64Array | None,
) -> tuple[npt.NDArray[Any], float] | None:
    """The difference of each seed for one value, mean over classes, and its variance over images."""
    shifts, variances = [], []
    for label in np.unique(labels_N):
        inside = [(labels_N == label) & (has_value_N == has) for has in (True, False)]
        sides = [favored_K[predicted_SN[:, rows_N]] for rows_N in inside]
        if min(side.shape[1] for side in sides) < MIN_CELL:
            continue
        shifts.append(sides[0].mean(axis=1) - sides[1].mean(axis=1))
        parts = [
            mean_variance(side, None if sources_N is None else sources_N[rows_N])
            for side, rows_N in zip(sides, inside, strict=True)
        ]
        variances.append(
            sum(
                max(part.images, 0.25 * (part.effect / side.shape[1]) ** 2)
                for side, part in zip(sides, parts, strict=True)
            )
        )
    if not shifts:
        return None
    return np.mean(shifts, axis=0), sum(variances) / len(variances) ** 2
