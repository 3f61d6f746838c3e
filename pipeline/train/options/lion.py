"""Lion: steps of one length, in the direction of the sign of a gradient's average.

Shape legend: none; parameters have any shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

BETAS = (0.9, 0.99)  # of the average that is stepped along, and of the one that is kept


class Lion(Optimizer):
    """w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w); m <- b2 m + (1 - b2) g.

    Weight decay is decoupled. Steps are longer than Adam's: usual are a third to a tenth of its rate, and as
    many times its weight decay.

    Source: Chen et al. 2023 (arXiv:2302.06675).
    """

    def __init__(self, parameters: Iterable[Tensor], *, lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "betas": BETAS, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients that are there."""
        assert closure is None, "the loop computes gradients itself"
        for group in self.param_groups:
            self._step(group)

    def _step(self, group: dict[str, Any]) -> None:
        moved = [p for p in group["params"] if p.grad is not None]
        if not moved:
            return
        gradients = [p.grad for p in moved]
        averages = [self._average(p) for p in moved]
        now, kept = group["betas"]
        directions = torch._foreach_lerp(averages, gradients, 1 - now)
        torch._foreach_sign_(directions)
        torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(moved, directions, alpha=-group["lr"])
        torch._foreach_lerp_(averages, gradients, 1 - kept)

    def _average(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        average: Tensor = state["exp_avg"]
        return average
