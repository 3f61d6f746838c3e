"""One network's target features times (ΦᵀΦ + λI)⁻¹, on disk and resumed after a kill like the features.

Targets are fewer than training images, so the inverse goes to their side: training features stay as
they are, whatever the ridge.

Shape legend: N training images, C targets of a block, K dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from pipeline.artifacts.files import write_atomic
from pipeline.attribution.store.features import STORE_ROWS, FeatureRows, save_array
from pipeline.attribution.store.solving import RidgeInverse, factorize, leverages, solve
from pipeline.core.types import Float32Array, Float64Array
from pipeline.parallel.shared_work import Piece


@dataclass(frozen=True)
class Preconditioned:
    """`name` tells networks and ridges apart within `folder`."""

    train: FeatureRows
    raw_targets: FeatureRows
    folder: Path
    name: str
    ridge: float
    device: str

    def factor_piece(self) -> Piece:
        """To be made once all training features are there.

        Raises, when made:
            InputError: ΦᵀΦ + λI cannot be inverted.
        """
        return Piece(self._factor_path, self._save_factor)

    def solved_pieces(self) -> Iterator[Piece]:
        """To be made once the factor and the target features are there."""
        for start in range(0, self.raw_targets.n, STORE_ROWS):
            yield Piece(self._solved_path(start), partial(self._save_solved, start))

    def targets(self, cols: slice) -> Float32Array:
        """Preconditioned features of targets `cols`, C x K."""
        parts = []
        for start in range(cols.start - cols.start % STORE_ROWS, cols.stop, STORE_ROWS):
            block = np.load(self._solved_path(start))
            parts.append(block[max(0, cols.start - start) : cols.stop - start])
        return np.concatenate(parts)

    def leverages(self) -> Float64Array:
        """φᵀ (ΦᵀΦ + λI)⁻¹ φ of each training image, N."""
        values: Float64Array = leverages(self._inverse(), self.train.features, n=self.train.n).cpu().numpy()
        return values

    @property
    def _factor_path(self) -> Path:
        return self.folder / f"factor_{self.name}.safetensors"

    def _solved_path(self, start: int) -> Path:
        return self.folder / f"solved_{self.name}_{start:09d}.npy"

    def _save_factor(self) -> None:
        made = factorize(
            self.train.features, n=self.train.n, dim=self.train.dim, ridge=self.ridge, device=self.device
        )
        tensors = {
            "factor": made.factor_DD.cpu().contiguous(),
            "penalty": torch.tensor(made.penalty, dtype=torch.float64),
            "is_dual": torch.tensor(made.is_dual),
        }
        write_atomic(self._factor_path, lambda temporary: save_file(tensors, temporary))

    def _inverse(self) -> RidgeInverse:
        tensors = load_file(self._factor_path)
        factor_DD = tensors["factor"].to(self.device)
        return RidgeInverse(factor_DD, float(tensors["penalty"]), bool(tensors["is_dual"]))

    def _save_solved(self, start: int) -> None:
        targets_CK = torch.from_numpy(self.raw_targets.features(slice(start, self._stop(start))))
        solved = solve(self._inverse(), targets_CK, self.train.features, n=self.train.n)
        save_array(self._solved_path(start), solved.float().cpu().contiguous().numpy())

    def _stop(self, start: int) -> int:
        return min(self.raw_targets.n, start + STORE_ROWS)
