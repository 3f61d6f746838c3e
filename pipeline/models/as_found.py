"""Whoever measures a network leaves it as it was found: flags, weights and buffers, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no parameter in any graph; training flags and requires_grad as before afterwards."""
    training = [(module, module.training) for module in model.modules()]
    needed = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in needed:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter, flag in needed:
            parameter.requires_grad_(flag)


@contextmanager
def moving_weights(model: nn.Module) -> Iterator[list[nn.Parameter]]:
    """`evaluating`, with parameters that may move and have gradients; their values are put back."""
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.detach().clone() for tensor in tensors]
    with evaluating(model):
        try:
            parameters = list(model.parameters())
            for parameter in parameters:
                parameter.requires_grad_(True)
            yield parameters
        finally:
            with torch.no_grad():
                for tensor, value in zip(tensors, before, strict=True):
                    tensor.copy_(value)
