"""What every estimator gives: any block of its training x target score matrix.

Sign: positive = the training image helps the target's correct prediction.

Shape legend: S models, N training images, M targets, K features, B C rows and columns of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array, Float64Array

FloatArray = npt.NDArray[np.floating[Any]]  # float16, 32 or 64; may be a memory map
NORM_ROWS = 4096  # rows turned to float64 at a time


class Scores(Protocol):
    """A score matrix that need not exist in memory; `block` fits where a `ScoreBlock` is asked for."""

    @property
    def n_train(self) -> int: ...

    @property
    def n_targets(self) -> int: ...

    def block(self, rows: slice, cols: slice) -> Float32Array:
        """Scores of training images `rows` on targets `cols`; positive = helps."""
        ...


@dataclass(frozen=True)
class DenseScores:
    """A matrix that fits in memory, for estimators whose library makes no other."""

    matrix_NM: Float32Array

    @property
    def n_train(self) -> int:
        return len(self.matrix_NM)

    @property
    def n_targets(self) -> int:
        return int(self.matrix_NM.shape[1])

    def block(self, rows: slice, cols: slice) -> Float32Array:
        return self.matrix_NM[rows, cols]


@dataclass(frozen=True)
class ProductScores:
    """Mean over models of a scaled product of training and target features.

    score[n, m] = mean over s of train_scales[s, n] <train[s][n], targets[s][m]> target_scales[s, m]

    Features are read block by block and multiplied in float32, so half-precision memory maps serve.
    """

    train: Sequence[FloatArray]  # of each model, N K
    targets: Sequence[FloatArray]  # of each model, M K
    train_scales_SN: Float32Array
    target_scales_SM: Float32Array

    @property
    def n_train(self) -> int:
        return int(self.train_scales_SN.shape[1])

    @property
    def n_targets(self) -> int:
        return int(self.target_scales_SM.shape[1])

    def block(self, rows: slice, cols: slice) -> Float32Array:
        total_BC = np.zeros((1, 1), np.float32)
        scales = zip(self.train_scales_SN, self.target_scales_SM, strict=True)
        for train_NK, targets_MK, (scale_N, scale_M) in zip(self.train, self.targets, scales, strict=True):
            # scaled before the product: neither overflows where norms are far from 1
            train_BK = np.asarray(train_NK[rows], np.float32) * scale_N[rows, None]
            targets_CK = np.asarray(targets_MK[cols], np.float32) * scale_M[cols, None]
            total_BC = total_BC + train_BK @ targets_CK.T
        mean: Float32Array = (total_BC / len(self.train)).astype(np.float32)
        return mean


def check_features(train: Sequence[FloatArray], targets: Sequence[FloatArray]) -> None:
    """Refuse features that do not belong together.

    Raises:
        InputError: no model, as many models on one side only, or shapes that do not match.
    """
    if not train or len(train) != len(targets):
        raise InputError(
            f"scores need features of the same models on both sides, one or more: got {len(train)} for the "
            f"training images and {len(targets)} for the targets."
        )
    for index, (train_NK, targets_MK) in enumerate(zip(train, targets, strict=True)):
        same_counts = len(train_NK) == len(train[0]) and len(targets_MK) == len(targets[0])
        if train_NK.ndim != 2 or targets_MK.ndim != 2 or train_NK.shape[1] != targets_MK.shape[1]:
            raise InputError(
                f"features of model {index} have shapes {train_NK.shape} and {targets_MK.shape}: needs "
                "training images x K and targets x K with the same K."
            )
        if not same_counts:
            raise InputError(
                f"features of model {index} are of {len(train_NK)} training images and {len(targets_MK)} "
                f"targets, those of model 0 of {len(train[0])} and {len(targets[0])}: take all on the same."
            )


def row_norms(features_NK: FloatArray) -> Float64Array:
    """Euclidean norm of every row, in float64."""
    starts = range(0, len(features_NK), NORM_ROWS)
    parts = [
        np.linalg.norm(np.asarray(features_NK[start : start + NORM_ROWS], np.float64), axis=1)
        for start in starts
    ]
    norms: Float64Array = np.concatenate(parts) if parts else np.zeros(0)
    return norms
