"""(ΦᵀΦ + λI)⁻¹ applied to target features, in float64, from rows of Φ that are read block by block.

λ is `ridge` times the mean of ‖φ‖² over the training images, so that it means the same for every
network. With fewer images N than dimensions K the N x N matrix is factorized instead of the K x K one:
(ΦᵀΦ + λI)⁻¹ = (I - Φᵀ (ΦΦᵀ + λI)⁻¹ Φ) / λ (Woodbury), which gives the same numbers for less work.

Shape legend: N training images, M targets, B images of a block, K dimensions, D = min(N, K).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array

ReadRows = Callable[[slice], Float32Array]  # rows of Φ, B x K
SOLVE_ROWS = 1024  # rows of Φ turned to float64 at a time
LEAST_PIVOT = 1e-12  # squared ratio of Cholesky pivots below which a matrix counts as singular


@dataclass(frozen=True)
class RidgeInverse:
    """The Cholesky factor of ΦᵀΦ + λI, or of ΦΦᵀ + λI where `is_dual`, and λ."""

    factor_DD: Tensor
    penalty: float
    is_dual: bool


def factorize(
    read: ReadRows, *, n: int, dim: int, ridge: float, device: str = "cpu", dual: bool | None = None
) -> RidgeInverse:
    """One pass over Φ (N < K: Φ is held whole).

    Args:
        dual: None takes the smaller matrix; the dual one needs ridge > 0.

    Raises:
        InputError: ΦᵀΦ + λI cannot be inverted.
    """
    is_dual = n < dim and ridge > 0 if dual is None else dual
    if is_dual:
        whole_NK = _double(read, slice(0, n), device)
        gram_DD = whole_NK @ whole_NK.T
    else:
        gram_DD = torch.zeros(dim, dim, dtype=torch.float64, device=device)
        for rows in _slices(n):
            block_BK = _double(read, rows, device)
            gram_DD.addmm_(block_BK.T, block_BK)
    penalty = ridge * float(gram_DD.trace()) / n  # both matrices have the trace Σ‖φ‖²
    return RidgeInverse(cholesky(gram_DD, penalty), penalty, is_dual)


def cholesky(gram_DD: Tensor, penalty: float) -> Tensor:
    """Lower factor of the matrix plus `penalty` on its diagonal, which is changed in place.

    Raises:
        InputError: it cannot be inverted.
    """
    gram_DD.diagonal().add_(penalty)
    factor_DD: Tensor
    factor_DD, failed = torch.linalg.cholesky_ex(gram_DD)
    pivots = factor_DD.diagonal()
    if int(failed) or float(pivots.min() / pivots.max()) ** 2 < LEAST_PIVOT:
        raise InputError(
            f"the {len(gram_DD)} x {len(gram_DD)} matrix of projected gradients cannot be inverted: some "
            "directions carry no gradient. Raise attribute.ridge (1.0 serves) or lower attribute.proj_dim."
        )
    return factor_DD


def solve(inverse: RidgeInverse, targets_MK: Tensor, read: ReadRows, *, n: int) -> Tensor:
    """(ΦᵀΦ + λI)⁻¹ of each target feature, M x K in float64."""
    targets_MK = targets_MK.to(inverse.factor_DD)
    if not inverse.is_dual:
        return torch.cholesky_solve(targets_MK.T, inverse.factor_DD).T
    whole_NK = _double(read, slice(0, n), str(inverse.factor_DD.device))
    inside_NM = torch.cholesky_solve(whole_NK @ targets_MK.T, inverse.factor_DD)
    return (targets_MK - inside_NM.T @ whole_NK) / inverse.penalty


def leverages(inverse: RidgeInverse, read: ReadRows, *, n: int) -> Tensor:
    """φᵀ (ΦᵀΦ + λI)⁻¹ φ of every training image, N in float64: between 0 and 1."""
    if inverse.is_dual:  # the diagonal of K (K + λI)⁻¹ = I - λ (K + λI)⁻¹, K = ΦΦᵀ
        return 1 - inverse.penalty * torch.cholesky_inverse(inverse.factor_DD).diagonal()
    device = str(inverse.factor_DD.device)
    parts = []
    for rows in _slices(n):
        block_BK = _double(read, rows, device)
        half_KB = torch.linalg.solve_triangular(inverse.factor_DD, block_BK.T, upper=False)
        parts.append(half_KB.square().sum(dim=0))
    return torch.cat(parts)


def _double(read: ReadRows, rows: slice, device: str) -> Tensor:
    return torch.from_numpy(read(rows)).to(device, torch.float64)


def _slices(n: int) -> Iterator[slice]:
    for start in range(0, n, SOLVE_ROWS):
        yield slice(start, min(n, start + SOLVE_ROWS))
