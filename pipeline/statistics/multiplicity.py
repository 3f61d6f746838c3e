"""Many tests at once: permutation p-values and their corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Float64Array


def permutation_p(n_as_extreme: int, n_permutations: int) -> float:
    """(1 + #>=)/(B + 1): never 0, and exact because the observed labelling is one of the draws."""
    return (1 + n_as_extreme) / (n_permutations + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected so that all tests together are wrong with the stated probability at most.

    The smallest is multiplied by M, the next by M - 1 and so on; none falls below the one before.

    Source: Holm 1979 (holds for tests that depend on each other in any way).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p_M = np.asarray(p_values, np.float64)
    order = np.argsort(p_M, kind="stable")
    corrected_M = np.empty(len(p_M))
    corrected_M[order] = np.minimum(1, np.maximum.accumulate(p_M[order] * np.arange(len(p_M), 0, -1)))
    return [float(p) for p in corrected_M]


def benjamini_hochberg(p_values: npt.NDArray[Any]) -> Float64Array:
    """q-values of the same shape: the false discovery rate at which each test is a discovery.

    Source: Benjamini and Hochberg 1995.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])).round(3).tolist()
    [0.04, 0.053, 0.053, 0.5]
    """
    from scipy import stats  # late: it takes a second to load

    flat = np.asarray(p_values, np.float64).ravel()
    q: Float64Array = stats.false_discovery_control(flat) if flat.size else flat
    return q.reshape(np.shape(p_values))
