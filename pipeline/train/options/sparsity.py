"""L1 penalty: after each step weights move towards 0, and stay there, exactly, where nothing needs them.

The step is the penalty's proximal one (ISTA's soft threshold), not its subgradient, which leaves weights to
flicker around 0. How far it reaches has to fit the optimizer, or another penalty than the one asked for acts:

- sgd takes momentum's steps 1 / (1 - momentum) times as long, and so is the threshold's: where training
  rests, the mean loss + l1 times the weights' sizes is smallest.
- adam divides each weight's step by the root of its mean squared gradient, and its threshold likewise.
- adamw and lion shrink every weight by rate x l1, whatever its gradients' size, as their weight decay does.

Averages of weights (`train.average`) are not sparse: a weight that was 0 for some steps only is small.

Shape legend: none; parameters have any shape.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pipeline.settings.train import TrainSettings


def penalized_weights(model: nn.Module) -> list[Tensor]:
    """The weights of linear and convolutional layers and attention: no biases, normalizations, positions."""
    found = [
        p
        for module in model.modules()
        if not _normalizes(module)
        for name, p in module.named_parameters(recurse=False)
        if p.ndim >= 2 and name.endswith("weight") and p.requires_grad
    ]
    return list(dict.fromkeys(found))  # a shared one once


@torch.no_grad()
def shrink(weights: list[Tensor], optimizer: Optimizer, settings: TrainSettings) -> None:
    """Move weights towards 0, in place, after a step of the optimizer; those without gradient stay.

    Source: proximal steps with momentum and with adaptive rates, Yun et al. 2021 (arXiv:2007.07484).
    """
    rate: float = optimizer.param_groups[0]["lr"]  # one for all
    for weight in weights:
        if weight.grad is None:
            continue
        reach = threshold(rate, settings, optimizer.state[weight], optimizer.defaults)
        weight.copy_(weight.sign() * (weight.abs() - reach).clamp_(min=0))


def threshold(
    rate: float, settings: TrainSettings, state: dict[str, Any], defaults: dict[str, Any]
) -> Tensor | float:
    """How far a weight moves at most; of adam one number a weight.

    Args:
        state: of the weight, in the optimizer.
        defaults: the optimizer's own.
    """
    if settings.optimizer == "sgd":
        return rate * settings.l1 / (1 - settings.momentum)
    if settings.optimizer == "adam":
        bias = 1 - defaults["betas"][1] ** float(state["step"])
        root: Tensor = state["exp_avg_sq"].sqrt() / math.sqrt(bias)
        reach: Tensor = rate * settings.l1 / (root + defaults["eps"])
        return reach
    return rate * settings.l1


def _normalizes(module: nn.Module) -> bool:
    return "Norm" in type(module).__name__
