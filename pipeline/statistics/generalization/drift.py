"""How far two sets of images are apart, and how far chance alone would put them.

A population stability index (PSI) of two samples of one distribution with B bins is (B - 1)(1/n + 1/m) on
average: the usual threshold of .1 is passed by most samples of 133 images. So every number here stands beside
what 5 % of random divisions of the same images reach.

Shape legend: S seeds, N reference images, M current images, D features, B bins, P permutations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array

N_BINS = 10
ALPHA = 0.05
_SMOOTHING = 0.5  # images added to every bin on both sides


class Drift(NamedTuple):
    """Distances of each seed, and what their mean over seeds reaches by chance."""

    value_S: Float64Array
    threshold: float  # of the mean; above it in at most 5 % of random divisions
    p_value: float

    @property
    def is_found(self) -> bool:
        return float(self.value_S.mean()) > self.threshold


def psi_of_counts(reference_B: npt.NDArray[Any], current_B: npt.NDArray[Any]) -> float:
    """PSI of two tables of counts. Half an image is added to every bin, so that empty ones have a logarithm.

    >>> round(psi_of_counts(np.array([500, 500]), np.array([400, 600])), 3)
    0.04
    """
    shares = [
        (counts_B + _SMOOTHING) / (counts_B.sum(axis=-1, keepdims=True) + _SMOOTHING * counts_B.shape[-1])
        for counts_B in (np.asarray(reference_B, np.float64), np.asarray(current_B, np.float64))
    ]
    return float(_psi(*shares))


def _psi(reference_B: Float64Array, current_B: Float64Array) -> Any:
    return ((current_B - reference_B) * np.log(current_B / reference_B)).sum(axis=-1)


def psi(reference_N: Float64Array, current_M: Float64Array, n_bins: int = N_BINS) -> float:
    """PSI of a number, in bins of equally many reference images whose outer ones are open.

    Equal values share a bin; fewer bins are left where many are equal.

    >>> values_N = np.arange(1000) / 1000
    >>> round(psi(values_N, values_N), 3), psi(values_N, values_N + 0.3) > 1
    (0.0, True)
    """
    edges = np.unique(np.quantile(reference_N, np.arange(1, n_bins) / n_bins))
    # a value on an edge is in the bin below it, among the reference and the current ones alike
    counts = [
        np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        for values in (reference_N, current_M)
    ]
    return psi_of_counts(*counts)


def psi_drift(
    reference_SN: Float64Array, current_SM: Float64Array, *, n_permutations: int, seed: int
) -> Drift:
    """PSI of a number of every image, such as a confidence; the same images change sides for all seeds."""
    pooled_SL, n = np.concatenate([reference_SN, current_SM], axis=1), reference_SN.shape[1]

    def distance(rows_L: Int64Array) -> Float64Array:
        return np.array([psi(row_L[rows_L[:n]], row_L[rows_L[n:]]) for row_L in pooled_SL])

    return _against_chance(distance, n, pooled_SL.shape[1], n_permutations, seed)


def class_drift(
    reference_SN: Int64Array, current_SM: Int64Array, n_classes: int, *, n_permutations: int, seed: int
) -> Drift:
    """PSI of the predicted classes, one bin a class."""
    pooled_SL, n = np.concatenate([reference_SN, current_SM], axis=1), reference_SN.shape[1]

    def distance(rows_L: Int64Array) -> Float64Array:
        counts = [[np.bincount(row_L[part], minlength=n_classes) for row_L in pooled_SL] for part in
                  (rows_L[:n], rows_L[n:])]  # fmt: skip
        return np.array([psi_of_counts(*pair) for pair in zip(*counts, strict=True)])

    return _against_chance(distance, n, pooled_SL.shape[1], n_permutations, seed)


def mmd_drift(
    reference: list[npt.NDArray[Any]], current: list[npt.NDArray[Any]], *, n_permutations: int, seed: int
) -> Drift:
    """Squared maximum mean discrepancy (MMD) of embeddings: S arrays of N x D, and S of M x D.

    The unbiased estimate, which is 0 on average without a drift, with a normal kernel as wide as the median
    distance of two images.

    Source: Gretton et al. 2012 (A Kernel Two-Sample Test), Lemma 6 and section 8.
    """
    n, n_all = len(reference[0]), len(reference[0]) + len(current[0])
    _check_sizes(n, n_all)
    kernels = [_kernel(np.concatenate(pair)) for pair in zip(reference, current, strict=True)]
    rng = np.random.default_rng(seed)
    inside_PL = np.zeros((n_permutations + 1, n_all))
    inside_PL[0, :n] = 1
    for row_L in inside_PL[1:]:
        row_L[rng.permutation(n_all)[:n]] = 1
    values_PS = np.stack([_mmd_squared(kernel_LL, inside_PL) for kernel_LL in kernels], axis=1)
    return _drift(values_PS[0], values_PS[1:].mean(axis=1))


def mmd_squared(reference_ND: npt.NDArray[Any], current_MD: npt.NDArray[Any]) -> float:
    """What `mmd_drift` measures, of one seed."""
    kernel_LL = _kernel(np.concatenate([reference_ND, current_MD]))
    return float(_mmd_squared(kernel_LL, (np.arange(len(kernel_LL)) < len(reference_ND))[None] * 1.0)[0])


def _kernel(pooled_LD: npt.NDArray[Any]) -> Float64Array:
    values_LD = np.asarray(pooled_LD, np.float64)
    values_LD = values_LD - values_LD.mean(axis=0)
    squares_L = (values_LD**2).sum(axis=1)
    squared_LL = np.maximum(squares_L[:, None] + squares_L - 2 * values_LD @ values_LD.T, 0)
    median = float(np.median(squared_LL[np.triu_indices(len(squared_LL), 1)]))
    kernel_LL: Float64Array = np.exp(-squared_LL / (2 * median if median > 0 else 1.0))
    return kernel_LL


def _mmd_squared(kernel_LL: Float64Array, inside_PL: Float64Array) -> Float64Array:
    """Of P divisions at once; pairs of an image with itself are left out."""
    n = float(inside_PL[0].sum())
    m = len(kernel_LL) - n
    to_inside_PL = inside_PL @ kernel_LL
    total, diagonal_L = kernel_LL.sum(), kernel_LL.diagonal()
    within_P = (to_inside_PL * inside_PL).sum(axis=1)
    across_P = to_inside_PL.sum(axis=1) - within_P
    outside_P = total - within_P - 2 * across_P
    own_P = inside_PL @ diagonal_L
    first_P = (within_P - own_P) / (n * (n - 1))
    second_P = (outside_P - (diagonal_L.sum() - own_P)) / (m * (m - 1))
    found_P: Float64Array = first_P + second_P - 2 * across_P / (n * m)
    return found_P


def _against_chance(
    distance: Callable[[Int64Array], Float64Array], n: int, n_all: int, n_permutations: int, seed: int
) -> Drift:
    _check_sizes(n, n_all)
    rng = np.random.default_rng(seed)
    null_P = np.array([distance(rng.permutation(n_all)).mean() for _ in range(n_permutations)])
    return _drift(distance(np.arange(n_all)), null_P)


def _drift(value_S: Float64Array, null_P: Float64Array) -> Drift:
    """The threshold is the k-th largest of P random values, k = 5 % of P + 1: exact with the value among them."""
    place = max(1, int(ALPHA * (len(null_P) + 1)))
    p_value = (1 + int((null_P >= value_S.mean()).sum())) / (len(null_P) + 1)
    return Drift(value_S, float(np.sort(null_P)[-place]), p_value)


def _check_sizes(n: int, n_all: int) -> None:
    if min(n, n_all - n) < 2:
        raise InputError(f"drift between {n} and {n_all - n} images: both sides need at least 2.")
