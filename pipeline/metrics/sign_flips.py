"""Tests of paired differences, and their correction for many tests.

Shape legend: N images, U distinct sizes of difference, B random flips, M tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from pipeline.core.types import Float64Array

N_FLIPS = 9999


def sign_flip_p(differences_N: Float64Array, rng: np.random.Generator) -> float:
    """Two-sided p-value that per-image differences are symmetric around 0.

    One seed has differences -1, 0 and 1 only: that is McNemar's test, and its exact binomial p-value
    is returned. Else signs are flipped at random, (1 + #>=)/(B + 1); differences of equal size are
    interchangeable, so their random signs are one binomial draw.

    Source: McNemar 1947; Fisher 1935 (randomization test of paired differences).
    """
    sizes_N = np.round(np.abs(differences_N), 12)
    sizes_U, counts_U = np.unique(sizes_N[sizes_N > 0], return_counts=True)
    if not len(sizes_U):
        return 1.0
    if len(sizes_U) == 1:
        return float(stats.binomtest(int((differences_N > 0).sum()), int(counts_U[0])).pvalue)
    plus_BU = rng.binomial(counts_U, 0.5, size=(N_FLIPS, len(counts_U)))
    sums_B = np.abs((2 * plus_BU - counts_U) @ sizes_U)
    observed = abs(float(differences_N.sum()))
    return float((1 + np.count_nonzero(sums_B >= observed - 1e-9)) / (N_FLIPS + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected so that all tests together are wrong with the stated probability at most.

    The smallest is multiplied by M, the next by M - 1 and so on; none falls below the one before.

    Source: Holm 1979 (holds for tests that depend on each other in any way).
    """
    p_M = np.asarray(p_values, np.float64)
    order = np.argsort(p_M, kind="stable")
    corrected_M = np.empty(len(p_M))
    corrected_M[order] = np.minimum(1, np.maximum.accumulate(p_M[order] * np.arange(len(p_M), 0, -1)))
    return [float(p) for p in corrected_M]
