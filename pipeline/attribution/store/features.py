"""Features of all images under all networks, on disk, in blocks of rows.

A block is one file, written beside its place, flushed, and moved there: what is there is whole. No
flags tell what is done, so no process can wipe another's, and a kill at any instant loses the blocks
at work and nothing else. Blocks are cut by row number alone and batches start anew in each, so that
who makes a block, and when, changes no bit of it.

Half precision keeps one scale per image: its largest entry becomes 1, so that networks whose
gradients are tiny or huge neither underflow nor overflow.

Shape legend: N images, B images of a block, K dimensions of a feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from pipeline.artifacts.files import write_atomic
from pipeline.attribution.gradients.featurizer import Featurizer
from pipeline.attribution.selection import Examples
from pipeline.core.errors import TrainingError
from pipeline.core.types import Float32Array
from pipeline.parallel.shared_work import Piece

STORE_ROWS = 1024  # images of a file: what a kill can lose, per process
Precision = Literal["fp16", "fp32"]
NUMPY_TYPES = {"fp16": np.float16, "fp32": np.float32}


@dataclass(frozen=True)
class FeatureRows:
    """The features of one set of images under one network; rows are read where they are asked for."""

    folder: Path
    name: str  # of the set and the network; the files' names start with it
    n: int
    dim: int
    precision: Precision

    def features(self, rows: slice) -> Float32Array:
        """Features of `rows` as they were stored, B x K. Pages are read, not mapped: none stay in memory."""
        parts = []
        for start in range(rows.start - rows.start % STORE_ROWS, rows.stop, STORE_ROWS):
            block = np.load(self.path(start))
            block = block[max(0, rows.start - start) : rows.stop - start]
            part = block["feature"].astype(np.float32)
            part *= block["scale"][:, None]
            parts.append(part)
        whole: Float32Array = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole

    def one_minus_p(self) -> Float32Array:
        """1 - p(label) of every image, N."""
        return np.concatenate([np.load(self.path(start))["one_minus_p"].copy() for start in self._starts()])

    def path(self, start: int) -> Path:
        return self.folder / f"{self.name}_{start:09d}.npy"

    def pieces(
        self,
        images: Examples,
        featurizer: Callable[[], Featurizer],
        *,
        stream: int,
        batch_size: int,
        device: str,
    ) -> Iterator[Piece]:
        """What is to be made, block by block. `featurizer` is called where a block is not there yet."""
        for start in self._starts():
            rows = slice(start, min(self.n, start + STORE_ROWS))

            def make(rows: slice = rows) -> None:
                block = self._computed(
                    images, rows, featurizer(), stream=stream, batch_size=batch_size, device=device
                )
                save_array(self.path(rows.start), block)

            yield Piece(self.path(start), make)

    def _starts(self) -> range:
        return range(0, self.n, STORE_ROWS)

    def _computed(
        self,
        images: Examples,
        rows: slice,
        featurizer: Featurizer,
        *,
        stream: int,
        batch_size: int,
        device: str,
    ) -> np.ndarray[Any, Any]:
        block = self.empty(rows.stop - rows.start)
        batch_size = min(batch_size, featurizer.largest_batch)
        for start in range(rows.start, rows.stop, batch_size):
            stop = min(rows.stop, start + batch_size)
            pixels, labels = images.batch(start, stop, device)
            part = block[start - rows.start : stop - rows.start]
            made = featurizer.features(pixels, labels, stream=stream)
            self.pack(made.features_BK, made.one_minus_p_B, part)
        return block

    def empty(self, n: int) -> np.ndarray[Any, Any]:
        """A block of `n` rows to be filled."""
        kinds = [("feature", NUMPY_TYPES[self.precision], self.dim), ("scale", "f4"), ("one_minus_p", "f4")]
        return np.empty(n, dtype=kinds)

    def pack(self, features_BK: Tensor, one_minus_p_B: Tensor, out: np.ndarray[Any, Any]) -> None:
        """Fill rows of a block.

        Raises:
            TrainingError: gradients are not finite.
        """
        features_BK = features_BK.detach().float()
        scale_B = _scales(features_BK) if self.precision == "fp16" else torch.ones(len(features_BK))
        if not torch.isfinite(features_BK).all() or not torch.isfinite(one_minus_p_B).all():
            raise TrainingError(
                "per-sample gradients are not finite, so the network's weights are not usable. "
                "Train it again with a lower train.lr."
            )
        out["feature"] = (features_BK / scale_B.to(features_BK.device)[:, None]).cpu().numpy()
        out["scale"] = scale_B.cpu().numpy()
        out["one_minus_p"] = one_minus_p_B.detach().float().cpu().numpy()


def _scales(features_BK: Tensor) -> Tensor:
    """The largest magnitude of each row; 1 where all are zero."""
    largest_B = features_BK.abs().amax(dim=1)
    return torch.where(largest_B > 0, largest_B, torch.ones_like(largest_B))


def save_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write an array so that it is there whole or not at all, also after a crash of the machine."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, array)

    write_atomic(path, write)
