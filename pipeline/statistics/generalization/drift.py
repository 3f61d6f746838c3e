"""How far two sets of images are apart, and how far chance alone would put them.

A population stability index (PSI) of two samples of one distribution with B bins is (B - 1)(1/n + 1/m) on
average: the usual threshold of .1 is passed by most samples of 133 images. So every number here stands beside
what 5 % of random divisions of the same images reach.

Shape legend: S seeds, N reference images, M current images, D features, B bins, P permutations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array

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
    """PSI of two tables of counts. Half an image is added to both sides of every bin that either is in.

    >>> round(psi_of_counts(np.array([500, 500]), np.array([400, 600])), 3)
    0.04
    """
    return float(_psi(np.asarray(reference_B, np.float64)[None], np.asarray(current_B, np.float64)[None])[0])


def _psi(reference_PB: Float64Array, current_PB: Float64Array) -> Float64Array:
    added_PB = np.where(reference_PB + current_PB > 0, _SMOOTHING, 0.0)
    first_PB, second_PB = reference_PB + added_PB, current_PB + added_PB
    first_PB = first_PB / first_PB.sum(axis=1, keepdims=True)
    second_PB = second_PB / second_PB.sum(axis=1, keepdims=True)
    ratio_PB = np.divide(second_PB, first_PB, out=np.ones_like(first_PB), where=added_PB > 0)
    found_P: Float64Array = ((second_PB - first_PB) * np.log(ratio_PB)).sum(axis=1)
    return found_P


def psi(reference_N: Float64Array, current_M: Float64Array, n_bins: int = N_BINS) -> float:
    """PSI of a number, in bins of equally many reference images whose outer ones are open.

    Equal values share a bin; bins without any image say nothing.

    >>> values_N = np.arange(1000) / 1000
    >>> round(psi(values_N, values_N), 3), psi(values_N, values_N + 0.3) > 1
    (0.0, True)
    """
    pooled_L = np.concatenate([reference_N, current_M])
    inside_1L = (np.arange(len(pooled_L)) < len(reference_N))[None]
    return float(_psi_of_divisions(pooled_L, inside_1L, n_bins)[0])


def _psi_of_divisions(pooled_L: Float64Array, inside_PL: BoolArray, n_bins: int) -> Float64Array:
    """PSI of P divisions of the same images: the reference is inside, and its quantiles are taken anew."""
    order_L = np.argsort(pooled_L, kind="stable")
    sorted_L, inside_PL = pooled_L[order_L], inside_PL[:, order_L]
    run_start_L = np.searchsorted(sorted_L, sorted_L, side="left")
    n = int(inside_PL[0].sum())
    below_PL: Int64Array = (np.cumsum(inside_PL, axis=1) - inside_PL)[
        :, run_start_L
    ]  # reference images with less
    bins_PL = np.minimum(below_PL * n_bins // n, n_bins - 1)
    flat = (bins_PL + n_bins * np.arange(len(bins_PL))[:, None]).ravel()
    size = len(bins_PL) * n_bins
    all_PB = np.bincount(flat, minlength=size).reshape(-1, n_bins).astype(np.float64)
    reference_PB = np.bincount(flat, inside_PL.ravel(), size).reshape(-1, n_bins).astype(np.float64)
    return _psi(reference_PB, all_PB - reference_PB)


def psi_drift(
    reference_SN: Float64Array, current_SM: Float64Array, *, n_permutations: int, seed: int
) -> Drift:
    """PSI of a number of every image, such as a confidence; the same images change sides for all seeds."""
    inside_PL = _divisions(reference_SN.shape[1], current_SM.shape[1], n_permutations, seed)
    pooled_SL = np.concatenate([reference_SN, current_SM], axis=1)
    return _drift(np.stack([_psi_of_divisions(row_L, inside_PL, N_BINS) for row_L in pooled_SL], axis=1))


def class_drift(
    reference_SN: Int64Array, current_SM: Int64Array, n_classes: int, *, n_permutations: int, seed: int
) -> Drift:
    """PSI of the predicted classes, one bin a class."""
    drawn_PL = _divisions(reference_SN.shape[1], current_SM.shape[1], n_permutations, seed)
    inside_PL = drawn_PL.astype(np.float64)
    values = []
    for row_L in np.concatenate([reference_SN, current_SM], axis=1):
        is_class_LK = np.eye(n_classes)[row_L]
        reference_PK = inside_PL @ is_class_LK
        values.append(_psi(reference_PK, is_class_LK.sum(axis=0) - reference_PK))
    return _drift(np.stack(values, axis=1))


def mmd_drift(
    reference: list[npt.NDArray[Any]], current: list[npt.NDArray[Any]], *, n_permutations: int, seed: int
) -> Drift:
    """Squared maximum mean discrepancy (MMD) of embeddings: S arrays of N x D, and S of M x D.

    The unbiased estimate, which is 0 on average without a drift, with a normal kernel as wide as the median
    distance of two images.

    Source: Gretton et al. 2012 (A Kernel Two-Sample Test), Lemma 6 and section 8.
    """
    inside_PL = _divisions(len(reference[0]), len(current[0]), n_permutations, seed).astype(np.float64)
    kernels = (_kernel(np.concatenate(pair)) for pair in zip(reference, current, strict=True))
    return _drift(np.stack([_mmd_squared(kernel_LL, inside_PL) for kernel_LL in kernels], axis=1))


def mmd_squared(reference_ND: npt.NDArray[Any], current_MD: npt.NDArray[Any]) -> float:
    """What `mmd_drift` measures, of one seed."""
    kernel_LL = _kernel(np.concatenate([reference_ND, current_MD]))
    inside_1L = (np.arange(len(kernel_LL)) < len(reference_ND))[None].astype(np.float64)
    return float(_mmd_squared(kernel_LL, inside_1L)[0])


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


def _divisions(n: int, m: int, n_permutations: int, seed: int) -> BoolArray:
    """Which images are reference ones: first as they are, then n of all n + m drawn at random."""
    if min(n, m) < 2:
        raise InputError(f"drift between {n} and {m} images: both sides need at least 2.")
    rng = np.random.default_rng(seed)
    inside_PL = np.tile(np.arange(n + m) < n, (n_permutations + 1, 1))
    inside_PL[1:] = rng.permuted(inside_PL[1:], axis=1)
    return inside_PL


def _drift(values_PS: Float64Array) -> Drift:
    """Of the division as it is and of P random ones.

    The threshold is the k-th largest of the random ones, k = 5 % of
    P + 1, which chance passes in 5 % and no more.
    """
    value_S, null_P = values_PS[0], values_PS[1:].mean(axis=1)
    place = max(1, int(ALPHA * (len(null_P) + 1)))
    p_value = (1 + int((null_P >= value_S.mean()).sum())) / (len(null_P) + 1)
    return Drift(value_S, float(np.sort(null_P)[-place]), p_value)
