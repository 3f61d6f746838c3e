"""From per-example losses to the scalar that is minimised.

Shape legend: B batch, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.core.errors import InputError


def erm_loss(losses_B: Tensor) -> Tensor:
    """Mean loss of the batch."""
    return losses_B.mean()


def group_means(values_B: Tensor, groups_B: Tensor, n_groups: int) -> Tensor:
    """Mean of `values_B` per group, 0 for groups that the batch does not hold. Differentiable."""
    zeros_G = values_B.new_zeros(n_groups)
    sums_G = zeros_G.index_add(0, groups_B, values_B)
    counts_G = zeros_G.index_add(0, groups_B, torch.ones_like(values_B))
    return sums_G / counts_G.clamp(min=1)


def group_adjustments(n_train_G: Sequence[int], adjustment: float) -> Tensor:
    """C / sqrt(n_g) with *training* counts; 0 for groups without training images."""
    counts_G = torch.tensor(n_train_G, dtype=torch.float64)
    return torch.where(counts_G > 0, adjustment / counts_G.clamp(min=1).sqrt(), torch.zeros_like(counts_G))


def initial_group_weights(n_train_G: Sequence[int], *, allow_empty: bool, names: Sequence[str]) -> Tensor:
    """Uniform weights over the groups that have training images.

    Raises:
        InputError: a group is empty and `allow_empty` is False.
    """
    counts_G = torch.tensor(n_train_G)
    empty = [names[g] for g in torch.nonzero(counts_G == 0).flatten().tolist()]
    if empty and not allow_empty:
        raise InputError(
            f"group DRO needs training images in every group; there are none in: {', '.join(empty)}. "
            "Collect some, merge groups (data.group_by or data.levels), or set "
            "methods.group_dro.allow_empty_groups: true to leave these groups out of training."
        )
    has_images_G = (counts_G > 0).double()
    return has_images_G / has_images_G.sum()


def group_dro_step(
    weights_G: Tensor, losses_B: Tensor, groups_B: Tensor, adjustments_G: Tensor, step_size: float
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

    Returns:
        the scalar loss and the new q.

    Source: Sagawa et al. 2020 (arXiv:1911.08731), algorithm 1 and section 3.3.
    """
    losses_G = group_means(losses_B, groups_B, len(weights_G))
    scores_G = losses_G.detach().double() + adjustments_G
    new_G = weights_G * torch.exp(step_size * scores_G)
    new_G = new_G / new_G.sum()
    return (new_G.to(losses_G.dtype) * losses_G).sum(), new_G
