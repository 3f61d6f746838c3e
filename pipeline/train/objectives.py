"""From per-example losses to the scalar that is minimised.

Shape legend: B batch, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Total = Callable[[Tensor], Tensor]  # the sum of a tensor over the processes that train together


def mean_loss(
    weights_G: Tensor | None, losses_B: Tensor, groups_B: Tensor, total: Total | None = None
) -> tuple[Tensor, Tensor | None]:
    """Mean loss of the batch, over all processes where there are several: this one's share of it."""
    if total is None:
        return losses_B.mean(), weights_G
    return losses_B.sum() / total(losses_B.new_tensor(float(len(losses_B)))), weights_G


@dataclass(frozen=True)
class GroupDro:
    """The objective of group DRO; its state is the weight q of every group."""

    adjustments_G: Tensor
    step_size: float

    def __call__(
        self, weights_G: Tensor | None, losses_B: Tensor, groups_B: Tensor, total: Total | None = None
    ) -> tuple[Tensor, Tensor]:
        assert weights_G is not None, "a plan with this objective gives the first weights"
        device = losses_B.device
        adjustments_G = self.adjustments_G.to(device)
        return group_dro_step(
            weights_G.to(device), losses_B, groups_B, adjustments_G, self.step_size, total=total
        )


def group_means(values_B: Tensor, groups_B: Tensor, n_groups: int, *, total: Total | None = None) -> Tensor:
    """Mean of `values_B` per group, 0 for groups that the batch does not hold. Differentiable.

    With `total` the batch is that of all processes and the result is this process's share of its means.
    """
    zeros_G = values_B.new_zeros(n_groups)
    sums_G = zeros_G.index_add(0, groups_B, values_B)
    counts_G = zeros_G.index_add(0, groups_B, torch.ones_like(values_B))
    if total is not None:
        counts_G = total(counts_G)
    return sums_G / counts_G.clamp(min=1)


def group_adjustments(n_train_G: Sequence[int], adjustment: float) -> Tensor:
    """C / sqrt(n_g) with *training* counts; 0 for groups without training images."""
    counts_G = torch.tensor(n_train_G, dtype=torch.float64)
    return torch.where(counts_G > 0, adjustment / counts_G.clamp(min=1).sqrt(), torch.zeros_like(counts_G))


def initial_group_weights(n_train_G: Sequence[int]) -> Tensor:
    """Uniform weights over the groups that have training images; the others keep 0."""
    has_images_G = (torch.tensor(n_train_G) > 0).double()
    return has_images_G / has_images_G.sum()


def group_dro_step(
    weights_G: Tensor,
    losses_B: Tensor,
    groups_B: Tensor,
    adjustments_G: Tensor,
    step_size: float,
    *,
    total: Total | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of online group DRO.

    q_g <- q_g exp(eta (l_g + C / sqrt(n_g))), normalised; loss = sum_g q_g l_g with q detached.
    The adjustment steers the weights only: it is a constant, so it has no gradient, and leaving it
    out of the returned loss keeps the logged loss a loss.

    Args:
        weights_G: q, sums to 1; not changed in place.
        losses_B: per-example losses with gradients.
        groups_B: group index per example.
        adjustments_G: C / sqrt(n_g), see `group_adjustments`.
        step_size: eta.
        total: sums over processes; q then follows the losses of the whole batch, and stays the same
            in all of them.

    Returns:
        the scalar loss (with `total` this process's share of it) and the new q.

    Source: Sagawa et al. 2020 (arXiv:1911.08731), algorithm 1 and section 3.3.
    """
    losses_G = group_means(losses_B, groups_B, len(weights_G), total=total)
    known_G = losses_G.detach() if total is None else total(losses_G.detach())
    scores_G = known_G.double() + adjustments_G
    new_G = weights_G * torch.exp(step_size * scores_G)
    new_G = new_G / new_G.sum()
    return (new_G.to(losses_G.dtype) * losses_G).sum(), new_G
