"""Where the loss grows: steps of weights along gradients, in units of the weights or not.

Shape legend: none; parameters have any shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-12


@torch.no_grad()
def ascent(gradients: Sequence[Tensor], scales: Sequence[Tensor], *, rho: float) -> list[Tensor]:
    """The step that a loss grows most by, among those with |step / scales| = rho: rho t^2 g / |t g|.

    Args:
        scales: t, what each weight's step is measured in: ones, or the weights' sizes (ASAM).
    Source: Foret et al. 2021 (arXiv:2010.01412); adaptive: Kwon et al. 2021 (arXiv:2102.11600).
    """
    scaled = torch._foreach_mul(list(gradients), list(scales))
    norm = length(scaled)
    steps = torch._foreach_mul(scaled, list(scales))
    torch._foreach_mul_(steps, rho / (norm + TINY))
    return list(steps)


@torch.no_grad()
def length(tensors: Sequence[Tensor]) -> Tensor:
    """Euclidean length of all of them as one vector."""
    found: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(tensors))))
    return found
