"""What a perfect predictor of retrained models would reach, given how two trainings of one subset differ.

Shape legend: T targets, M subsets, R trainings of each, B bootstrap draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.retrained.crossed_bootstrap import Redraw, crossed_interval, standard_ranks


def noise_ceiling(actual_TMR: npt.NDArray[Any], *, seed: int = 0) -> Estimate | None:
    """The score of a predictor that knows every subset's expected margin; None with one repeat.

    Its interval redraws targets and subsets as `lds.score_predictors` does.

    Two trainings of the same subset differ by chance. If r is the correlation of two repeats over
    subsets, the mean of R has reliability R r / (1 + (R - 1) r) (Spearman-Brown), the share of its
    variance that is the subset's; the correlation of the mean with that part is its square root.

    That holds for Pearson correlations. Rank correlations of normal values go over into them and back by
    Pearson's relation r = 2 sin(pi s / 6). Each target's r is drawn to the mean over targets by its
    sampling error: of M subsets it is too uncertain for a square root.

    Source: Spearman 1910; Pearson 1907 for the relation.
    """
    n_subsets, repeats = actual_TMR.shape[1:]
    if repeats < 2:
        return None
    told_T = np.ptp(actual_TMR.mean(axis=2), axis=1) > 0
    ranks_RTM = [standard_ranks(actual_TMR[told_T, :, r]) for r in range(repeats)]
    pairs = [(ranks_RTM[a], ranks_RTM[b]) for a in range(repeats) for b in range(a)]
    n_targets = int(told_T.sum())

    def ceilings_of(part: Redraw) -> Float64Array:
        agreement_BT = np.mean([part.correlations(*pair) for pair in pairs], axis=0)
        single_BT = 2 * np.sin(np.pi / 6 * _shrink(agreement_BT, part.targets_BT, n_subsets, len(pairs)))
        reliability_BT = repeats * single_BT / (1 + (repeats - 1) * single_BT)
        ceiling_BT = 6 / np.pi * np.arcsin(np.sqrt(np.clip(reliability_BT, 0, 1)) / 2)
        mean_B: Float64Array = (ceiling_BT * part.targets_BT).sum(axis=1)
        return mean_B

    value = float(ceilings_of(Redraw.observed(n_targets, n_subsets))[0])
    draws_B = np.concatenate([ceilings_of(part) for part in Redraw.drawn(n_targets, n_subsets, seed).parts()])
    found = crossed_interval(value, draws_B, n_targets, n_subsets, bound=1.0)
    return found.model_copy(update={"low": max(0.0, found.low)})


def _shrink(
    correlations_BT: Float64Array, weights_BT: Float64Array, n_subsets: int, n_pairs: int
) -> Float64Array:
    """Each target's correlation, drawn to their mean as far as chance explains that they differ."""
    mean_B1 = (correlations_BT * weights_BT).sum(axis=1, keepdims=True)
    chance_B1 = (1 - mean_B1**2) ** 2 / max(n_subsets - 1, 1) / n_pairs
    spread_B1 = ((correlations_BT - mean_B1) ** 2 * weights_BT).sum(axis=1, keepdims=True)
    share_B1 = np.divide(chance_B1, spread_B1, out=np.ones_like(spread_B1), where=spread_B1 > 0)
    drawn_BT: Float64Array = np.clip(
        mean_B1 + np.clip(1 - share_B1, 0, 1) * (correlations_BT - mean_B1), 0, 1
    )
    return drawn_BT
