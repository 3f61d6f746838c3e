"""Learning rate and optimizer."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import Optimizer

from pipeline.settings.train import TrainSettings
from pipeline.train.options.lion import Lion

WARM_UP_SHARE = 0.25  # of one_cycle's steps, where warm_up_epochs does not say
FIRST = 0.1  # of one_cycle's rates, as a share of the highest
LOW = 0.01  # the same of an exponential rise, which cannot begin at 0


def learning_rate(settings: TrainSettings, step: int, n_steps: int) -> float:
    """The rate at `step` of `n_steps`: a pure function, so nothing has to be restored on resume.

    constant and cosine rise from near 0 during `warm_up_epochs`; one_cycle rises from a tenth, during
    a quarter of the steps where these are 0, and falls in a straight line to 0. `warm_up` is the rise's form.
    """
    progress = step / max(1, n_steps)
    warm_up = settings.warm_up_epochs / settings.epochs
    if settings.schedule == "one_cycle":
        warm_up = warm_up or WARM_UP_SHARE
    if progress < warm_up:
        return _rising(settings, step, n_steps, warm_up)
    if settings.schedule == "one_cycle":
        return settings.lr * (1 - progress) / (1 - warm_up)
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def _rising(settings: TrainSettings, step: int, n_steps: int, warm_up: float) -> float:
    """The rate during warm-up."""
    is_cycle, progress = settings.schedule == "one_cycle", step / n_steps
    if settings.warm_up == "linear":  # rounded as ever: a changed last digit would change every result
        if is_cycle:
            return settings.lr * (FIRST + (1 - FIRST) * progress / warm_up)
        return settings.lr * (step + 1) / (warm_up * n_steps + 1)
    first, risen = (FIRST, progress / warm_up) if is_cycle else (0.0, (step + 1) / (warm_up * n_steps + 1))
    if settings.warm_up == "exponential":
        return settings.lr * float((first or LOW) ** (1 - risen))
    return settings.lr * (first + (1 - first) * 0.5 * (1 - math.cos(math.pi * risen)))


def build_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD (Nesterov where there is momentum), Adam, AdamW or Lion over all parameters, fused.

    Weight decay is part of the gradient in SGD and Adam, and decoupled from it in AdamW and Lion.
    """
    if not settings.compile:
        _spare_compiler()
    if settings.optimizer == "lion":
        return Lion(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    if settings.optimizer in ("adam", "adamw"):
        kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
        return kind(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
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
