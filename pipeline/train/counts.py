"""What an epoch's steps add up to: loss, and right answers in each group.

Shape legend: B images of a batch at hand, G groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.parallel.rank import World


class Counts:
    """Running sums over an epoch and all processes."""

    def __init__(self, n_groups: int, device: torch.device) -> None:
        # on the device: a GPU then need not wait for them at every step
        self._loss = torch.zeros(2, dtype=torch.float64, device=device)  # sum, images
        self._groups_2G = torch.zeros((2, n_groups), dtype=torch.float64, device=device)  # right, images

    def add(self, losses_B: Tensor, correct_B: Tensor, groups_B: Tensor, world: World) -> None:
        """Take in one step."""
        ones_B = torch.ones_like(losses_B, dtype=torch.float64)
        loss = torch.stack([losses_B.double().sum(), ones_B.sum()])
        groups_2G = torch.zeros_like(self._groups_2G)
        groups_2G.index_add_(1, groups_B, torch.stack([correct_B.double(), ones_B]))
        sums = world.total(torch.cat([loss, groups_2G.flatten()]))
        self._loss += sums[:2]
        self._groups_2G += sums[2:].view_as(self._groups_2G)

    def is_finite(self) -> bool:
        """Whether every loss so far is a number; waits for the device."""
        return bool(torch.isfinite(self._loss[0]))

    def loss_sum(self) -> float:
        return float(self._loss[0])

    def mean_loss(self) -> float:
        """Mean over the images of the epoch, repeated ones counted again."""
        total, n = self._loss.tolist()
        mean: float = total / max(1.0, n)
        return mean

    def accuracies(self) -> list[float | None]:
        """Share of right answers of every group, as the steps saw them; None where there was no image."""
        right_G, seen_G = self._groups_2G.tolist()
        return [right / seen if seen else None for right, seen in zip(right_G, seen_G, strict=True)]

    def state(self) -> tuple[Tensor, Tensor]:
        return self._loss, self._groups_2G

    def restore(self, state: tuple[Tensor, Tensor]) -> None:
        loss, groups_2G = state
        self._loss, self._groups_2G = loss.to(self._loss.device), groups_2G.to(self._loss.device)
