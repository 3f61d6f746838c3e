"""Terms of per-sample gradients added up in K numbers, never the gradient itself.

Two ways, each an unbiased estimate of inner products:

- block sketch: a layer's gradient is made for some images at a time and added to their sketches.
- factorized: what a layer saw is sketched first, I inputs of a position to R, each layer by its own
  draw. The gradient of R instead of I columns is then made and sketched as before. For two images with
  gradients X and Y (O x I) this adds at most (‖XᵀY‖² + tr(XᵀY XᵀY)) / R to the variance; the layers'
  additions are independent. Inputs and not outputs, because output gradients of different images point
  apart (XᵀY small) where inputs, means of ReLUs, are alike (XYᵀ large): on ResNets at initialization
  the first form is 8 to 60 times smaller. R = K / 8 keeps the sum below a third of 1 / K, the sketch's
  own variance, as long as sum over layers of (‖XᵀY‖² + tr(XᵀY XᵀY)) / (‖x‖² ‖y‖²) is below 0.04.

Shape legend: B images, T positions, O outputs, I inputs, R sketched inputs, K projected dimensions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.attribution.gradients.plan import Plan
from pipeline.attribution.gradients.projector import BlockSketch
from pipeline.attribution.gradients.terms import Outer, Term

ELEMENTS_AT_ONCE = 2**24  # of a layer's gradients or inputs: 16 images or more, or calls outweigh work
INPUTS_PER_DIM = 1 / 8  # R / K
LEAST_INPUTS = 32
LEAST_RATIO = 2  # of inputs to sketched inputs


class LayerSketch:
    """The draws of one network's sketch."""

    def __init__(self, plan: Plan, *, dim: int, seed: int, device: str, factorized: bool) -> None:
        self.dim = dim
        self.device = device
        self._inputs: dict[str, BlockSketch] = {}
        self._offsets: dict[str, int] = {}
        offset = 0
        for layer, (name, shape) in enumerate(plan.shapes.items()):
            self._offsets[name] = offset
            n_inputs = shape[1:].numel()
            kept = kept_inputs(n_inputs, dim) if factorized and name in plan.matrices else n_inputs
            if kept < n_inputs:
                self._inputs[name] = BlockSketch(
                    n_in=n_inputs, n_out=kept, seed=seed, device=device, layer=layer
                )
            offset += shape[0] * kept if shape else 1
        self._sketch = BlockSketch(n_in=offset, n_out=dim, seed=seed, device=device)
        self._buffer = torch.empty(0)

    def draw(self, stream: int) -> None:
        """Take the draws of `stream`."""
        for sketch in (*self._inputs.values(), self._sketch):
            sketch.draw(stream)

    def add(self, out_BK: Tensor, term: Term) -> None:
        """Add a term of every image to the images' sketches."""
        if not isinstance(term, Outer):
            self.add_flat(out_BK, term.name, term.grads.reshape(len(out_BK), -1))
            return
        inner = self._inputs.get(term.name)
        n_inputs = term.inputs.n_inputs if inner is None else inner.n_out
        largest = max(term.shape[0] * n_inputs, term.inputs.n_positions * n_inputs * term.inputs.groups)
        step = max(1, ELEMENTS_AT_ONCE // largest)
        for start in range(0, len(out_BK), step):
            rows = slice(start, min(start + step, len(out_BK)))
            self.add_flat(out_BK[rows], term.name, self._gradients(term, rows, inner))

    def add_flat(self, out_BK: Tensor, name: str, grads_BP: Tensor) -> None:
        """Add one parameter's gradients, in the order of coordinates that its layer has."""
        self._sketch.add(out_BK, grads_BP.to(out_BK.dtype), self._offsets[name])

    def _gradients(self, term: Outer, rows: slice, inner: BlockSketch | None) -> Tensor:
        grads_BOT = term.out_grads_BOT[rows]
        if inner is not None:
            return torch.bmm(grads_BOT, term.inputs.sketch(rows, inner)).flatten(1)
        if term.inputs.groups > 1:
            return term.gradients(rows)
        shape = (len(grads_BOT), term.shape[0], term.inputs.n_inputs)
        return term.gradients(rows, out=self._scratch(shape, grads_BOT))

    def _scratch(self, shape: tuple[int, int, int], like: Tensor) -> Tensor:
        """Memory that every layer uses again: fresh pages would cost more than the product."""
        n = math.prod(shape)
        if self._buffer.dtype != like.dtype or self._buffer.numel() < n:
            self._buffer = like.new_empty(n)
        return self._buffer[:n].view(shape)


def kept_inputs(n_inputs: int, dim: int) -> int:
    """R for I and K; I itself where fewer would save little."""
    rank = max(LEAST_INPUTS, round(dim * INPUTS_PER_DIM))
    return rank if rank * LEAST_RATIO <= n_inputs else n_inputs
