"""Learning rate and optimizer."""

from __future__ import annotations

import math

import torch
from torch import nn

from pipeline.core.settings import TrainSettings

WARM_UP_SHARE = 0.25


def learning_rate(settings: TrainSettings, step: int, n_steps: int) -> float:
    """The rate at `step` of `n_steps`: a pure function, so nothing has to be restored on resume."""
    progress = step / max(1, n_steps)
    if settings.schedule == "constant":
        return settings.lr
    if settings.schedule == "cosine":
        return settings.lr * 0.5 * (1 + math.cos(math.pi * progress))
    if progress < WARM_UP_SHARE:
        return settings.lr * (0.1 + 0.9 * progress / WARM_UP_SHARE)
    return settings.lr * (1 - progress) / (1 - WARM_UP_SHARE)


def build_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD (Nesterov where there is momentum) or AdamW over all parameters, fused."""
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(
            model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
    return torch.optim.SGD(
        model.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.momentum > 0,
        fused=True,
    )
