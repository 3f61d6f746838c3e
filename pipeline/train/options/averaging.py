"""Averages of the weights along the run, which are then what is validated and kept.

`ema` follows the weights, and the BatchNorm statistics, at every step. `swa` is the mean of the weights
at the end of the last epochs; statistics of activations do not average, so they are measured again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from pipeline.settings.train import TrainSettings

Tensors = tuple[Tensor, ...] | list[Tensor]
BATCH_NORM_IMAGES = 16_384  # suffice for a mean and a variance of each channel


class Averaging:
    """The average of one run's weights.

    Source: Izmailov et al. 2018 (arXiv:1803.05407) for `swa`.
    """

    def __init__(self, model: nn.Module, settings: TrainSettings) -> None:
        self.kind = settings.average
        self.first_epoch = math.floor(settings.swa_start * settings.epochs)  # of swa
        self.averaged: AveragedModel | None = None
        if self.kind == "ema":
            self.decay = settings.ema_decay
            self.averaged = AveragedModel(model, multi_avg_fn=self._follow, use_buffers=True)
        elif self.kind == "swa":
            self.averaged = AveragedModel(model)

    def after_step(self, model: nn.Module) -> None:
        """Take in the weights of a step."""
        if self.kind == "ema" and self.averaged is not None:
            self.averaged.update_parameters(model)

    def after_epoch(self, model: nn.Module, epoch: int, batches: Iterable[Tensor]) -> nn.Module:
        """Take in the weights of an epoch; the network to validate and keep.

        Args:
            batches: training pixels to measure BatchNorm statistics on; read by `swa` only.
        """
        if self.kind == "swa" and self.averaged is not None and epoch >= self.first_epoch:
            self.averaged.update_parameters(model)
            update_bn(batches, self.averaged)
        return self._current(model)

    @torch.no_grad()
    def _follow(self, averages: Tensors, values: Tensors, _: Tensor | int) -> None:
        """Moving average whose decay rises to `ema_decay`: the random first weights are forgotten quickly."""
        assert self.averaged is not None
        n = int(self.averaged.n_averaged)  # its own, in main memory: the argument would make a GPU wait
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - min(self.decay, (1 + n) / (10 + n)))
        else:  # counters
            torch._foreach_copy_(averages, values)

    def _current(self, model: nn.Module) -> nn.Module:
        if self.averaged is None or self.averaged.n_averaged == 0:
            return model
        averaged: nn.Module = self.averaged.module
        return averaged

    def state(self) -> dict[str, Any] | None:
        return None if self.averaged is None else self.averaged.state_dict()

    def restore(self, model: nn.Module, state: dict[str, Any] | None) -> nn.Module:
        """Go on from a saved state; the network to keep if no epoch follows."""
        if self.averaged is not None and state is not None:
            self.averaged.load_state_dict(state)
        return self._current(model)
