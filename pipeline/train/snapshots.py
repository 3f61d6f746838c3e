"""Weights of a few epochs within a run, beside the selected ones: attribution averages over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.settings.train import TrainSettings
from pipeline.train.keeping import Weights


class Snapshots:
    """Takes the weights after the epochs of `snapshot_epochs`."""

    def __init__(self, settings: TrainSettings) -> None:
        self.epochs = snapshot_epochs(settings.epochs, settings.checkpoints)
        self.weights: dict[int, Weights] = {}

    def after_epoch(self, epoch: int, copy_weights: Callable[[], Weights]) -> None:
        if epoch in self.epochs:
            self.weights[epoch] = copy_weights()

    def result(self, selected_epoch: int) -> dict[int, Weights]:
        """By epoch. The selected one is left out: it is the run's result already."""
        return {epoch: weights for epoch, weights in self.weights.items() if epoch != selected_epoch}

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.weights = state["weights"]


def snapshot_epochs(n_epochs: int, n_snapshots: int) -> list[int]:
    """Epochs that cut the last half of a run into equal parts, as near as whole epochs come; not the last.

    `TrainSettings` refuses more snapshots than the last half has epochs.
    """
    return [round(n_epochs / 2 * (1 + i / (n_snapshots + 1))) - 1 for i in range(1, n_snapshots + 1)]
