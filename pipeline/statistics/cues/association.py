"""How strongly a feature, an attribute or a prediction goes together with a label.

Shape legend: N images, F features, K classes, B permutations.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Float64Array, Int64Array
from pipeline.statistics.distributions import chi2_sf
from pipeline.statistics.multiplicity import permutation_p
from pipeline.statistics.sources import SourcePermutations

_CHI2_MIN_EXPECTED = 5  # below it the chi-squared distribution is a poor approximation


class TableAssociation(NamedTuple):
    cramers_v: float
    p_value: float


def cramers_v(table: npt.NDArray[Any], *, n_permutations: int = 1000, seed: int = 0) -> TableAssociation:
    """Bias-corrected Cramer's V of a contingency table of counts, and its p-value.

    The p-value is chi-squared where all expected counts are at least 5, else from random tables with
    the same margins. Rows and columns without images are left out; a table with a single row or
    column left has V = 0 and p = 1.

    Source: Bergsma 2013 (A bias-correction for Cramer's V and Tschuprow's T).

    >>> found = cramers_v(np.array([[95, 5], [5, 95]]))
    >>> round(found.cramers_v, 3), found.p_value < 0.001
    (0.899, True)
    """
    counts = _without_empty(table)
    if min(counts.shape) < 2:
        return TableAssociation(0.0, 1.0)
    rows, columns = counts.shape
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    v = _corrected_v(counts, chi2)
    if expected.min() >= _CHI2_MIN_EXPECTED:
        return TableAssociation(v, float(chi2_sf(chi2, (rows - 1) * (columns - 1))))
    from scipy import stats  # late: it takes a second to load

    random = stats.random_table(counts.sum(axis=1), counts.sum(axis=0), seed=seed).rvs(n_permutations)
    chi2_B = ((random - expected) ** 2 / expected).sum(axis=(1, 2))
    return TableAssociation(v, permutation_p(int((chi2_B >= chi2 - 1e-9).sum()), n_permutations))


def cramers_v_by_source(
    rows_N: Int64Array,
    columns_N: Int64Array,
    sources_N: Int64Array,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
) -> TableAssociation:
    """`cramers_v` of two labels per image; its p-value shuffles the rows' labels of whole sources."""
    shuffle, rng = SourcePermutations(rows_N, sources_N), np.random.default_rng(seed)
    n_columns = int(columns_N.max(initial=0)) + 1
    size = (int(rows_N.max(initial=0)) + 1) * n_columns

    def table(labels_N: Int64Array) -> Int64Array:
        counts: Int64Array = np.bincount(labels_N * n_columns + columns_N, minlength=size)
        return counts.reshape(-1, n_columns)

    def phi2(labels_N: Int64Array) -> float:
        counts = _without_empty(table(labels_N))
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        return float(((counts - expected) ** 2 / expected).sum() / counts.sum())

    observed = phi2(rows_N)
    reached = sum(phi2(shuffle.draw(rng)) >= observed - 1e-12 for _ in range(n_permutations))
    v = cramers_v(table(rows_N)).cramers_v
    return TableAssociation(v, permutation_p(reached, n_permutations))


def _without_empty(table: npt.NDArray[Any]) -> Int64Array:
    counts = np.asarray(table, np.int64)
    kept: Int64Array = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    return kept


def _corrected_v(counts: Int64Array, chi2: float) -> float:
    n, (rows, columns) = int(counts.sum()), counts.shape
    phi2 = max(0.0, chi2 / n - (rows - 1) * (columns - 1) / (n - 1))
    smaller = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return min(1.0, math.sqrt(phi2 / smaller)) if smaller > 0 else 0.0


def cell_weights(labels_N: Int64Array, values_N: Int64Array) -> Float64Array:
    """Weights that make every cell of label x value count the same; 1 on average.

    >>> cell_weights(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])).round(2).tolist()
    [0.67, 0.67, 1.33, 1.33]
    """
    cells_N = np.unique(np.stack([labels_N, values_N], axis=1), axis=0, return_inverse=True)[1].ravel()
    counts_C = np.bincount(cells_N)
    weights_N: Float64Array = len(cells_N) / (len(counts_C) * counts_C[cells_N])
    return weights_N
