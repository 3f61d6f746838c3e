"""Sharpness-aware minimization: step with the gradient taken at the worst point nearby.

Shape legend: none; parameters have any shape.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.models.uphill import ascent

ADAPTIVE_FLOOR = 0.01  # added to a weight's size: weights at zero move, too


@contextlib.contextmanager
def uphill(model: nn.Module, *, rho: float, adaptive: bool) -> Iterator[None]:
    """Inside, the weights are `rho` further up along their gradients; outside they are as before, exactly.

    A gradient computed inside stays. BatchNorm does not take in statistics inside: they would be those
    of weights that are never kept.

    Args:
        rho: length of the step.
        adaptive: measure length relative to the weights, so that rescaling them changes nothing.
    Source: Foret et al. 2021 (arXiv:2010.01412); adaptive: Kwon et al. 2021 (arXiv:2102.11600).
    """
    parameters: list[Tensor] = [p for p in model.parameters() if p.grad is not None]
    before = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for parameter, step in zip(
            parameters, steps_uphill(parameters, rho=rho, adaptive=adaptive), strict=True
        ):
            parameter.add_(step)
    tracking = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True
        with torch.no_grad():
            torch._foreach_copy_(parameters, before)


@torch.no_grad()
def steps_uphill(parameters: list[Tensor], *, rho: float, adaptive: bool) -> list[Tensor]:
    """The steps of `ascent` along the gradients that the parameters hold; adaptive: t = |w| + 0.01."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    scales = [p.abs() + ADAPTIVE_FLOOR if adaptive else torch.ones_like(p) for p in parameters]
    return ascent(gradients, scales, rho=rho)
