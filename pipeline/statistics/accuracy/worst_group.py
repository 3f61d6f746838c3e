"""The worst of several groups: which one it is, what chance alone makes of it, and its accuracy without that.

Nobody else chooses: whoever needs the worst group of a split, of a seed or of redrawn images has it from
`choose_worst` or `lowest_of`, with the groups it was chosen from.

The bootstrap here is parametric and needs no draws: groups are independent binomials, so the
distribution of their minimum is a product of survival functions.

Shape legend: G groups, X seeds or draws, U distinct sizes, T grid points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import SplitMetrics
from pipeline.statistics.accuracy.shrinkage import fit_beta_prior
from pipeline.statistics.distributions import beta_isf, binomial_logsf
from pipeline.statistics.intervals import widen

_ROUNDING = 1e-6  # of images
_SAME = 1e-9  # accuracies closer than this are the same number
_GRID = 4096  # steps of the integral of P(min > t): good to about 1e-4


class WorstGroup(NamedTuple):
    """The worst group and the groups that it was chosen from, all as indices."""

    group: int
    considered: Sequence[int]
    is_lowest: bool = True  # of those; False where the order of so small groups means nothing

    def groups(self, accuracy_XG: Float64Array) -> Int64Array:
        """The worst group of each row, X: of single seeds or redrawn images, whose worst may be another.

        Where small groups decided, the lowest of a row is whichever has fewest images: it stays the same.
        """
        columns = np.asarray(self.considered if self.is_lowest else [self.group], np.int64)
        found: Int64Array = columns[accuracy_XG[:, columns].argmin(axis=1)]
        return found

    def accuracies(self, accuracy_XG: Float64Array) -> Float64Array:
        """The accuracy of each row's worst group, X."""
        found: Float64Array = np.take_along_axis(accuracy_XG, self.groups(accuracy_XG)[:, None], axis=1)[:, 0]
        return found

    def among(self, present: Int64Array) -> WorstGroup:
        """The same with positions in `present`, groups in rising order, in place of indices."""
        at = {int(g): i for i, g in enumerate(present)}
        return WorstGroup(at[self.group], [at[g] for g in self.considered], self.is_lowest)


def choose_worst(groups: Sequence[GroupEstimate], average: float) -> WorstGroup:
    """The worst group of a split: the lowest of those with enough images.

    Where none has as many, or the lowest that has lies above the average, so that smaller groups are
    worse, it is chosen from all that have images, as `_best_known_low` says.

    Args:
        groups: at least one with images, each with its accuracy and 95 % interval.
        average: over all images.
    """
    present = [g for g, group in enumerate(groups) if group.n]
    enough = [g for g in present if groups[g].sufficient]
    if enough:
        worst = lowest_of(np.array([group.value for group in groups]), enough)
        if groups[worst.group].value <= average + _SAME:
            return worst
    return WorstGroup(_best_known_low(groups, present, average), present, is_lowest=False)


def worst_of(metrics: SplitMetrics) -> WorstGroup:
    """What `choose_worst` chose when the split was measured."""
    found = metrics.worst_group
    return WorstGroup(found.index, metrics.considered, is_lowest=found.sufficient)


def lowest_of(accuracy_G: Float64Array, considered: Sequence[int]) -> WorstGroup:
    """The lowest of groups that all count, the first of equals.

    For validation images: whoever selects by them must ask the same groups of every epoch, size or
    strength, so which ones count goes by their sizes alone (`counted`) and not, as on test images, by how
    they do.

    >>> lowest_of(np.array([0.9, 0.4, 0.7]), considered=[0, 2]).group
    2
    """
    return WorstGroup(min(considered, key=lambda g: float(accuracy_G[g])), considered)


def worst_counted(
    accuracy_G: Sequence[float | None], n_G: Int64Array, least: int
) -> tuple[int, float] | None:
    """Index and accuracy of the worst group of validation images; None where no group has any.

    Args:
        accuracy_G: of single models; None for groups without images.
        n_G, least: as `counted`.
    """
    considered = np.flatnonzero(counted(n_G, least)).tolist()
    if not considered:
        return None
    known_G = np.array([np.nan if accuracy is None else accuracy for accuracy in accuracy_G])
    worst = lowest_of(known_G, considered).group
    return worst, float(known_G[worst])


def counted(n_G: Int64Array, least: int) -> BoolArray:
    """G, True for groups of at least `least` images; where there is none, for all that have images.

    >>> counted(np.array([0, 8, 50]), least=10).tolist(), counted(np.array([0, 8, 5]), least=10).tolist()
    ([False, False, True], [False, True, True])
    """
    enough_G = (n_G > 0) & (n_G >= least)
    return enough_G if enough_G.any() else n_G > 0


def _best_known_low(groups: Sequence[GroupEstimate], considered: Sequence[int], average: float) -> int:
    """Of small groups the lowest accuracy belongs to whoever has one image, and says nothing.

    Named is, of those clearly below the average, the one whose interval ends lowest; where none is, of
    those not above the average the one with most images.
    """
    clear = [g for g in considered if is_clearly_below(groups[g], average, len(considered))]
    if clear:
        return min(clear, key=lambda g: groups[g].high)
    below = [g for g in considered if groups[g].value <= average + _SAME]
    return max(below, key=lambda g: (groups[g].n, -groups[g].value))


def expected_minimum(accuracy: float, sizes: Sequence[float] | Float64Array) -> float:
    """Expected lowest observed accuracy if every group's true accuracy were `accuracy`.

    The minimum of noisy numbers lies below all of them: 70 % in 60 groups of 166 images looks like
    61.6 %.

    Args:
        sizes: images per group (effective sizes are rounded).

    >>> round(expected_minimum(0.9, [20, 20, 20, 20]), 3)
    0.829
    """
    sizes_U, repeats_U = np.unique(_whole(sizes), return_counts=True)
    return _mean_of_minimum(np.full(len(sizes_U), accuracy), sizes_U, repeats_U)


def correct_minimum(accuracy_G: Float64Array, sizes_G: Float64Array) -> float:
    """The lowest accuracy, less what it owes to being the lowest of noisy numbers.

    Bootstrap: groups are redrawn around accuracies that stand for the true ones, and what the minimum
    falls on average is added to the observed minimum. Redrawn around the observed accuracies, which
    spread more than the true ones, it would fall too little (60 equal groups: 5 points of bias stay of
    8). They are therefore pulled towards their mean until their spread is that of the beta prior that
    explains them best: 3 points stay.

    Args:
        accuracy_G: in [0, 1].
        sizes_G: images per group (effective sizes are rounded).

    Returns:
        A value in [lowest accuracy, 1].
    Source: Efron and Tibshirani 1993, chapter 10 (bootstrap bias correction); Louis 1984 (estimates
        with the spread of the true values).

    >>> round(correct_minimum(np.array([0.80, 0.90, 0.90, 0.90]), np.array([20.0] * 4)), 3)
    0.845
    """
    lowest = float(accuracy_G.min())
    if len(accuracy_G) < 2:
        return lowest
    prior = fit_beta_prior(accuracy_G, sizes_G)
    center = prior.mean
    stand_in_G = center + np.sqrt(prior.weight(sizes_G)) * (accuracy_G - center)
    ones_G = np.ones(len(accuracy_G), np.int64)
    redrawn = _mean_of_minimum(stand_in_G, _whole(sizes_G), ones_G)
    return min(1.0, lowest + max(0.0, float(stand_in_G.min()) - redrawn))


def is_clearly_below(group: GroupEstimate, average: float, n_groups: int, *, alpha: float = 0.05) -> bool:
    """Whether a group, however small, is below the average by more than chance explains.

    Two tests, both corrected for `n_groups` looked at: the interval, which knows the seeds, and the exact
    binomial one, as if all seeds said the same of every image. Wilson's interval alone would call one
    image that is wrong clearly below 90 %, as one in ten are. Images that share sources count as the
    independent ones that would say as much.

    Args:
        group: accuracy with its 95 % interval; n = 0 is never clear.
    """
    return average > clear_ceiling(group, n_groups, alpha=alpha)


def clear_ceiling(group: GroupEstimate, n_groups: int, *, alpha: float = 0.05) -> float:
    """The accuracy in [0, 1] above which a group `is_clearly_below` every other; 1 without images.

    The exact test's is Clopper and Pearson's upper bound: the chance of as few hits is alpha / 2 there.
    """
    if group.n == 0:
        return 1.0
    n = max(1, round(group.weight))
    hits = math.ceil(group.value * n - _ROUNDING)
    exact = float(beta_isf(alpha / 2 / n_groups, hits + 1, n - hits)) if hits < n else 1.0
    return min(1.0, max(exact, widen(group, n_comparisons=n_groups, alpha=alpha).high))


def _mean_of_minimum(accuracy_U: Float64Array, sizes_U: Float64Array, repeats_U: npt.NDArray[Any]) -> float:
    """E[min] is the integral over t of the probability that every group is above t."""
    t_T = (np.arange(_GRID) + 0.5) / _GRID
    log_above_T = np.zeros(_GRID)
    for accuracy, size, repeats in zip(accuracy_U, sizes_U, repeats_U, strict=True):
        log_above_T += repeats * binomial_logsf(np.floor(t_T * size), size, accuracy)
    return float(np.exp(log_above_T).mean())


def _whole(sizes: Sequence[float] | Float64Array) -> Float64Array:
    whole: Float64Array = np.maximum(1, np.rint(np.asarray(sizes, np.float64)))
    return whole
