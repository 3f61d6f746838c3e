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

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


class BlockSketch:
    """Signs, rotations and a sum; never a P x K matrix, a padded copy or a gather.

    The draw depends on `seed` and `stream` alone: not on the batch, the device or the order of
    calls. `stream` separates models, so that their projection errors average out.
    """

    def __init__(self, *, n_in: int, n_out: int, seed: int, device: str = "cpu") -> None:
        self.n_in = n_in
        self.n_out = n_out
        self.seed = seed
        self.device = device
        self._stream: int | None = None
        self._signs_P = torch.empty(0)
        self._shifts: list[int] = []

    def project(self, gradients: Mapping[str, Tensor] | Tensor, *, stream: int = 0) -> Tensor:
        """B x K sketches of per-sample gradients.

        `gradients` is B x P, or parameter name -> B x (shape of the parameter) whose values are
        read in the mapping's order, as if they were flattened and concatenated.
        """
        self._draw(stream)
        parts = [gradients] if isinstance(gradients, Tensor) else list(gradients.values())
        parts_BP = [part.reshape(len(part), -1) for part in parts]
        if sum(part.shape[1] for part in parts_BP) != self.n_in:
            raise ValueError(f"gradients have {sum(p.shape[1] for p in parts_BP)} entries, not {self.n_in}")
        out_BK = torch.zeros(len(parts_BP[0]), self.n_out, dtype=parts_BP[0].dtype, device=self.device)
        offset = 0
        for part_BP in parts_BP:
            self._add(out_BK, part_BP, offset)
            offset += part_BP.shape[1]
        return out_BK

    def _draw(self, stream: int) -> None:
        if stream == self._stream:
            return
        rng = np.random.default_rng([self.seed, stream])  # NumPy: the same draw on every device
        signs = rng.integers(0, 2, self.n_in, dtype=np.int8) * 2 - 1
        self._signs_P = torch.from_numpy(signs).to(self.device, torch.float32)
        self._shifts = rng.integers(0, self.n_out, -(-self.n_in // self.n_out)).tolist()
        self._stream = stream

    def _add(self, out_BK: Tensor, part_BP: Tensor, offset: int) -> None:
        """Add the coordinates `offset`, `offset + 1`, ... to where their blocks' rotations put them.

        A rotated block is at most two contiguous runs, so a run of slices replaces padding and
        rolling.
        """
        part_BP = part_BP.to(self.device)
        done = 0
        while done < part_BP.shape[1]:
            block, inside = divmod(offset + done, self.n_out)
            start = (inside + self._shifts[block]) % self.n_out
            length = min(part_BP.shape[1] - done, self.n_out - inside, self.n_out - start)
            signs = self._signs_P[offset + done : offset + done + length].to(part_BP.dtype)
            out_BK[:, start : start + length].addcmul_(part_BP[:, done : done + length], signs)
            done += length
