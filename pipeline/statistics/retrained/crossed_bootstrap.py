"""Rank correlations of targets over subsets, redrawn in both ways: for new targets and new subsets.

Shape legend: T targets, M subsets, B bootstrap draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf, t_isf

N_BOOTSTRAP = 1000
_TAIL = 0.025
_VALUES_AT_ONCE = 1_000_000  # of one matrix of the bootstrap


@dataclass(frozen=True)
class Redraw:
    """How often each draw of the bootstrap holds each target and each subset, as shares."""

    targets_BT: Float64Array
    subsets_BM: Float64Array

    @classmethod
    def observed(cls, n_targets: int, n_subsets: int) -> Redraw:
        """One draw: everything once."""
        return cls(np.full((1, n_targets), 1 / n_targets), np.full((1, n_subsets), 1 / n_subsets))

    @classmethod
    def drawn(cls, n_targets: int, n_subsets: int, seed: int) -> Redraw:
        rng = np.random.default_rng(seed)
        subsets_BM = rng.multinomial(n_subsets, np.full(n_subsets, 1 / n_subsets), size=N_BOOTSTRAP)
        targets_BT = rng.multinomial(n_targets, np.full(n_targets, 1 / n_targets), size=N_BOOTSTRAP)
        return cls(targets_BT / n_targets, subsets_BM / n_subsets)

    def parts(self) -> Iterator[Redraw]:
        """A few draws at a time: draws x targets are never all held."""
        step = max(1, _VALUES_AT_ONCE // self.targets_BT.shape[1])
        for start in range(0, len(self.targets_BT), step):
            yield Redraw(self.targets_BT[start : start + step], self.subsets_BM[start : start + step])

    def correlations(self, first_TM: Float64Array, second_TM: Float64Array) -> Float64Array:
        """B x T correlations over the draws' subsets."""
        weights_BM = self.subsets_BM
        mean_first, mean_second = weights_BM @ first_TM.T, weights_BM @ second_TM.T
        covariance_BT = weights_BM @ (first_TM * second_TM).T - mean_first * mean_second
        squared_BT = (weights_BM @ (first_TM**2).T - mean_first**2) * (
            weights_BM @ (second_TM**2).T - mean_second**2
        )
        # a draw of equal ranks only, or rounding of one, has no correlation
        lengths_BT = np.sqrt(np.clip(squared_BT, 0, None))
        known = lengths_BT > 1e-12 / first_TM.shape[1]
        return np.divide(covariance_BT, lengths_BT, out=np.zeros_like(lengths_BT), where=known)


def standard_ranks(values_TM: npt.NDArray[Any]) -> Float64Array:
    """Ranks of each row with mean 0 and length 1, so that products sum to correlations; 0 if constant."""
    from scipy import stats  # late: it takes a second to load

    ranks_TM = stats.rankdata(values_TM, axis=1) - (values_TM.shape[1] + 1) / 2
    lengths_T = np.linalg.norm(ranks_TM, axis=1, keepdims=True)
    standard_TM: Float64Array = np.divide(
        ranks_TM, lengths_T, out=np.zeros_like(ranks_TM), where=lengths_T > 0
    )
    return standard_TM


def crossed_interval(
    value: float, draws_B: Float64Array, n: int, n_subsets: int, *, bound: float
) -> Estimate:
    """Percentiles of the draws about `value`, widened for few subsets, within [-bound, bound]."""
    student = float(t_isf(_TAIL, n_subsets - 1) / normal_isf(_TAIL))
    widening = student * math.sqrt(n_subsets / (n_subsets - 1))
    low, high = value + widening * (np.quantile(draws_B, [_TAIL, 1 - _TAIL]) - draws_B.mean())
    return Estimate(
        value=value, low=max(-bound, min(float(low), value)), high=min(bound, max(float(high), value)), n=n
    )
