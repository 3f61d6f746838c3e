"""What the groups of one method say together about how much its seeds differ.

Shape legend: S seeds, N images, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.statistics.intervals import CorrectArray, SeedPool, mean_variance


def prediction_variance(correct_SN: CorrectArray) -> float:
    """p(1-p) of a group, at (hits + 2)/(n + 4): a group that is all right could have been wrong."""
    n = correct_SN.shape[1]
    center = (float(correct_SN.mean()) * n + 2) / (n + 4)
    return float(center * (1 - center))


def pool_seeds(groups: Sequence[CorrectArray], rooms: Sequence[float] | None = None) -> SeedPool | None:
    """The seeds' variance over all groups, None for one seed or fewer than two groups.

    Variances are compared as shares of the variance of one prediction (`rooms`, else p(1-p)), since a
    group that is nearly all right has little room to vary. The groups share their seeds: where all
    move together, or where one group alone moves, many groups know no more than one. Degrees of
    freedom are therefore the smaller of two counts, one that sees the first (common shift against the
    rest, compound symmetry) and one that sees the second.

    Args:
        groups: per group S x N_g, whether seed s is right on image n, or differences of that.

    Source: Satterthwaite 1946 (degrees of freedom of a sum of variances).
    """
    if len(groups) < 2 or len(groups[0]) < 2:
        return None
    n_seeds = len(groups[0])
    parts = [mean_variance(correct_SN) for correct_SN in groups]
    seeds_G, residual_G = np.array([p.seeds for p in parts]), np.array([p.residual for p in parts])
    room_G = np.array(rooms if rooms is not None else [prediction_variance(g) for g in groups])
    correlation = max(0.0, float((seeds_G - residual_G).sum()) * n_seeds / float(room_G.sum()))
    expected_G = residual_G + correlation * room_G / n_seeds
    if not (expected_G > 0).all():
        return SeedPool(correlation, 0.0)
    accuracy_SG = np.stack([correct_SN.mean(axis=1) for correct_SN in groups], axis=1)
    shifts_SG = (accuracy_SG - accuracy_SG.mean(axis=0)) / np.sqrt(expected_G)
    return SeedPool(correlation, (n_seeds - 1) * min(_alone(shifts_SG), _together(shifts_SG)))


def _alone(shifts_SG: Float64Array) -> float:
    """Between 1, where a single group moves, and G."""
    return _count((shifts_SG**2).sum(axis=0))


def _together(shifts_SG: Float64Array) -> float:
    """Between 1, where all groups make the same move, and G."""
    n_groups = shifts_SG.shape[1]
    common_S = shifts_SG.mean(axis=1)
    common = n_groups * float((common_S**2).sum())
    rest = float(((shifts_SG - common_S[:, None]) ** 2).sum())
    return _count(np.array([common, *np.full(n_groups - 1, rest / (n_groups - 1))]))


def _count(squares: Float64Array) -> float:
    """How many equal squares have this sum and sum of squares."""
    return float(squares.sum() ** 2 / (squares**2).sum()) if squares.any() else 0.0
