"""Scores of training images on targets: any block of the matrix, or sums over it, never all of it.

Sign: positive = the training image helps the target's correct prediction.

Shape legend: N training images, M targets, B training images and C targets of a block, K dimensions,
I columns of weights of training images, J columns of weights of targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array, Float64Array

TRAIN_BLOCK = 2048
TARGET_BLOCK = 2048
TARGET_BYTES = 2**28  # of target features held at a time, all networks together
MOST_DENSE_BYTES = 2**31  # of a matrix held whole; twice that while networks are averaged
ReadBlock = Callable[[slice], Float32Array]


class Scores(Protocol):
    """A score matrix N x M, whatever it is made of."""

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def target_block(self) -> int:
        """Targets to ask for at a time."""
        ...

    def block(self, rows: slice, cols: slice) -> Float32Array:
        """Scores of training images `rows` on targets `cols`, B x C."""
        ...

    def train_sums(self, weights_NI: Float64Array) -> Float64Array:
        """For each target the sums of its scores weighted by the columns of `weights_NI`, I x M."""
        ...

    def target_sums(self, weights_MJ: Float64Array) -> Float64Array:
        """For each training image the sums weighted by the columns of `weights_MJ`, N x J."""
        ...


@dataclass(frozen=True)
class DenseScores:
    """Scores held as a matrix (it may be a memory map)."""

    matrix_NM: Float32Array
    target_block: int = TARGET_BLOCK

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix_NM.shape[0], self.matrix_NM.shape[1]

    def block(self, rows: slice, cols: slice) -> Float32Array:
        return np.asarray(self.matrix_NM[rows, cols])

    def train_sums(self, weights_NI: Float64Array) -> Float64Array:
        total_IM = np.zeros((weights_NI.shape[1], self.shape[1]))
        for rows in blocks(self.shape[0], TRAIN_BLOCK):
            total_IM += weights_NI[rows].T.astype(np.float64) @ self.matrix_NM[rows].astype(np.float64)
        return total_IM

    def target_sums(self, weights_MJ: Float64Array) -> Float64Array:
        parts = [
            self.matrix_NM[rows].astype(np.float64) @ weights_MJ
            for rows in blocks(self.shape[0], TRAIN_BLOCK)
        ]
        return np.concatenate(parts)


def require_room(n_train: int, n_targets: int, estimator: str) -> None:
    """Refuse an estimator that makes the whole matrix where that does not fit.

    Raises:
        InputError: with what to lower.
    """
    if 4 * n_train * n_targets > MOST_DENSE_BYTES:
        raise InputError(
            f"attribute.estimator = {estimator} keeps all {n_train:,} x {n_targets:,} scores in memory, more "
            f"than {MOST_DENSE_BYTES / 2**30:.0f} GiB. Lower attribute.max_train or "
            "attribute.targets_per_group, or use attribute.estimator = trak."
        )


@dataclass(frozen=True)
class Factor:
    """One network's part: score = train feature · target feature."""

    train: ReadBlock  # B x K
    targets: ReadBlock  # C x K


@dataclass
class FactoredScores:
    """Mean over networks of products of features, times a weight per training image.

    Sums over training images or targets are sums of features first and one product afterwards: the
    matrix is not made for them.
    """

    factors: Sequence[Factor]
    weights_N: Float64Array  # of the training images; all ones where they count alike
    n_targets: int
    dim: int
    device: str = "cpu"
    _held: tuple[slice, list[Tensor]] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.weights_N), self.n_targets

    @property
    def target_block(self) -> int:
        return max(64, min(TARGET_BLOCK, TARGET_BYTES // (4 * self.dim * len(self.factors))))

    def block(self, rows: slice, cols: slice) -> Float32Array:
        """B x C, computed as C x B: the returned array is a transposed view."""
        weights_B = torch.from_numpy(self.weights_N[rows] / len(self.factors)).float().to(self.device)
        total_CB: Tensor | None = None
        for factor, targets_CK in zip(self.factors, self._targets(cols), strict=True):
            train_BK = torch.from_numpy(factor.train(rows)).to(self.device) * weights_B[:, None]
            if total_CB is None:
                total_CB = targets_CK @ train_BK.T
            else:
                total_CB.addmm_(targets_CK, train_BK.T)
        if total_CB is None:
            raise ValueError("scores need one network or more")
        scores: Float32Array = total_CB.cpu().numpy().T
        return scores

    def train_sums(self, weights_NI: Float64Array) -> Float64Array:
        total_IM = np.zeros((weights_NI.shape[1], self.n_targets))
        for factor in self.factors:
            sums_IK = torch.zeros(weights_NI.shape[1], self.dim, dtype=torch.float64, device=self.device)
            for rows in blocks(len(self.weights_N), TRAIN_BLOCK):
                weights_BI = self._double(weights_NI[rows] * self.weights_N[rows, None])
                sums_IK.addmm_(weights_BI.T, self._double(factor.train(rows)))
            for cols in blocks(self.n_targets, TRAIN_BLOCK):
                total_IM[:, cols] += (sums_IK @ self._double(factor.targets(cols)).T).cpu().numpy()
        total_IM /= len(self.factors)
        return total_IM

    def target_sums(self, weights_MJ: Float64Array) -> Float64Array:
        total_NJ = np.zeros((len(self.weights_N), weights_MJ.shape[1]))
        for factor in self.factors:
            sums_KJ = torch.zeros(self.dim, weights_MJ.shape[1], dtype=torch.float64, device=self.device)
            for cols in blocks(self.n_targets, TRAIN_BLOCK):
                sums_KJ.addmm_(self._double(factor.targets(cols)).T, self._double(weights_MJ[cols]))
            for rows in blocks(len(self.weights_N), TRAIN_BLOCK):
                total_NJ[rows] += (self._double(factor.train(rows)) @ sums_KJ).cpu().numpy()
        total_NJ *= self.weights_N[:, None] / len(self.factors)
        return total_NJ

    def _targets(self, cols: slice) -> list[Tensor]:
        """Target features of all networks; the last ones asked for are kept."""
        if self._held is None or self._held[0] != cols:
            self._held = cols, [torch.from_numpy(f.targets(cols)).to(self.device) for f in self.factors]
        return self._held[1]

    def _double(self, array: Float32Array | Float64Array) -> Tensor:
        return torch.from_numpy(array).to(self.device, torch.float64)


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices that cut 0..n-1 into runs of at most `size`."""
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))
