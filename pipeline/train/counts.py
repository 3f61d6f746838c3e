"""What an epoch's steps add up to: loss, and right answers, losses and margins in each group.

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
        # right, images, losses, margins
        self._groups_4G = torch.zeros((4, n_groups), dtype=torch.float64, device=device)

    def add(
        self, losses_B: Tensor, margins_B: Tensor, correct_B: Tensor, groups_B: Tensor, world: World
    ) -> None:
        """Take in one step."""
        ones_B = torch.ones_like(losses_B, dtype=torch.float64)
        losses_B = losses_B.double()
        loss = torch.stack([losses_B.sum(), ones_B.sum()])
        groups_4G = torch.zeros_like(self._groups_4G)
        values_4B = torch.stack([correct_B.double(), ones_B, losses_B, margins_B.double()])
        groups_4G.index_add_(1, groups_B, values_4B)
        sums = world.total(torch.cat([loss, groups_4G.flatten()]))
        self._loss += sums[:2]
        self._groups_4G += sums[2:].view_as(self._groups_4G)

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
        return self._means(0)

    def losses(self) -> list[float | None]:
        """Mean loss of every group."""
        return self._means(2)

    def margins(self) -> list[float | None]:
        """Mean margin of every group: the label's logit minus the largest other one."""
        return self._means(3)

    def _means(self, row: int) -> list[float | None]:
        sums_G, seen_G = self._groups_4G[row].tolist(), self._groups_4G[1].tolist()
        return [total / seen if seen else None for total, seen in zip(sums_G, seen_G, strict=True)]

    def state(self) -> tuple[Tensor, Tensor]:
        return self._loss, self._groups_4G

    def restore(self, state: tuple[Tensor, Tensor]) -> None:
        loss, groups_4G = state
        self._loss, self._groups_4G = loss.to(self._loss.device), groups_4G.to(self._loss.device)
