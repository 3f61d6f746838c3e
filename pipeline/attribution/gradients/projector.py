"""A random projection that keeps inner products and costs one pass over the gradients.

The flat gradient is cut into blocks of k coordinates. Each coordinate gets a random sign, each
block a random rotation (circular shift), and the rotated blocks are summed into k numbers.

For fixed x and y the estimate of <x, y> is unbiased with variance at most
(|x|^2 |y|^2 + <x, y>^2) / k, that of a dense Rademacher or Gaussian matrix: two coordinates of
different blocks collide with probability 1/k, two of the same block never, and independent signs
cancel all other cross terms. With k >= P nothing collides and inner products are exact.

Shape legend: B batch, P parameters (coordinates), K projected dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Run:
    """Neighbouring coordinates that stay neighbours: where they are, where they are added, their signs."""

    at: slice
    to: slice
    signs: Tensor


class BlockSketch:
    """Signs, rotations and a sum; never a P x K matrix, a padded copy or a gather.

    The draw depends on `seed` and `stream` alone: not on the batch, the device or the order of
    calls. `stream` separates models, so that their projection errors average out; `layer` separates
    sketches of one network that are used together.
    """

    def __init__(
        self, *, n_in: int, n_out: int, seed: int, device: str = "cpu", layer: int | None = None
    ) -> None:
        self.n_in = n_in
        self.n_out = n_out
        self.seed = seed
        self._layer = [] if layer is None else [1 + layer]  # NumPy reads a missing entry as 0
        self.device = device
        self._stream: int | None = None
        self._signs_P = torch.empty(0)
        self._shifts: list[int] = []

    def project(self, gradients: Mapping[str, Tensor] | Tensor, *, stream: int = 0) -> Tensor:
        """B x K sketches of per-sample gradients.

        `gradients` is B x P, or parameter name -> B x (shape of the parameter) whose values are
        read in the mapping's order, as if they were flattened and concatenated.
        """
        self.draw(stream)
        parts = [gradients] if isinstance(gradients, Tensor) else list(gradients.values())
        parts_BP = [part.reshape(len(part), -1) for part in parts]
        if sum(part.shape[1] for part in parts_BP) != self.n_in:
            raise ValueError(f"gradients have {sum(p.shape[1] for p in parts_BP)} entries, not {self.n_in}")
        out_BK = torch.zeros(len(parts_BP[0]), self.n_out, dtype=parts_BP[0].dtype, device=self.device)
        offset = 0
        for part_BP in parts_BP:
            self.add(out_BK, part_BP.to(self.device), offset)
            offset += part_BP.shape[1]
        return out_BK

    def draw(self, stream: int) -> None:
        """Take the signs and rotations of `stream`, if they are not there already."""
        if stream == self._stream:
            return
        rng = np.random.default_rng([self.seed, stream, *self._layer])  # NumPy: the same draw on every device
        signs = rng.integers(0, 2, self.n_in, dtype=np.int8) * 2 - 1
        self._signs_P = torch.from_numpy(signs).to(self.device, torch.float32)
        self._shifts = rng.integers(0, self.n_out, -(-self.n_in // self.n_out)).tolist()
        self._stream = stream

    def runs(self, offset: int, length: int) -> Iterator[Run]:
        """Where the coordinates `offset`, ..., `offset + length - 1` go under the stream drawn.

        A rotated block is at most two contiguous runs, so a run of slices replaces padding and
        rolling.
        """
        done = 0
        while done < length:
            block, inside = divmod(offset + done, self.n_out)
            start = (inside + self._shifts[block]) % self.n_out
            step = min(length - done, self.n_out - inside, self.n_out - start)
            signs = self._signs_P[offset + done : offset + done + step]
            yield Run(slice(done, done + step), slice(start, start + step), signs)
            done += step

    def add(self, out_BK: Tensor, part_BP: Tensor, offset: int) -> None:
        """Add the coordinates `offset`, `offset + 1`, ... to `out_BK` under the stream drawn."""
        for run in self.runs(offset, part_BP.shape[1]):
            out_BK[:, run.to].addcmul_(part_BP[:, run.at], run.signs.to(part_BP.dtype))
