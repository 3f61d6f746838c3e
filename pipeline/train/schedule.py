"""Learning rate and optimizer."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import Optimizer

from pipeline.settings.train import TrainSettings

WARM_UP_SHARE = 0.25  # of one_cycle's steps, where warm_up_epochs does not say


def learning_rate(settings: TrainSettings, step: int, n_steps: int) -> float:
    """The rate at `step` of `n_steps`: a pure function, so nothing has to be restored on resume.

    constant and cosine rise from near 0 during `warm_up_epochs`; one_cycle rises from a tenth, during
    a quarter of the steps where these are 0, and falls in a straight line to 0.
    """
    progress = step / max(1, n_steps)
    warm_up = settings.warm_up_epochs / settings.epochs
    if settings.schedule == "one_cycle":
        warm_up = warm_up or WARM_UP_SHARE
        if progress < warm_up:
            return settings.lr * (0.1 + 0.9 * progress / warm_up)
        return settings.lr * (1 - progress) / (1 - warm_up)
    if progress < warm_up:
        return settings.lr * (step + 1) / (warm_up * n_steps + 1)
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def build_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD (Nesterov where there is momentum) or AdamW over all parameters, fused."""
    if not settings.compile:
        _spare_compiler()
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


def _spare_compiler() -> None:
    """Keep torch from loading its compiler, a second or two, before an optimizer takes a step.

    Finished networks are read back without one. torch asks the compiler when one of these methods is first
    called, unless it finds an answer at the function.
    """
    for method in (
        Optimizer.add_param_group,
        Optimizer.zero_grad,
        Optimizer.state_dict,
        Optimizer.load_state_dict,
    ):
        function = getattr(method, "__wrapped__", None)
        if function is not None and not hasattr(function, "__dynamo_disable"):
            function.__dynamo_disable = function
