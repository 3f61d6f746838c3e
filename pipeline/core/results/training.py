"""What training recorded."""

from __future__ import annotations

from pipeline.core.results.base import Artifact, Record


class EpochRecord(Record):
    seed: int
    epoch: int
    train_loss: float
    train_accuracy: list[float | None]  # per group, None where the epoch drew no image of it
    val_accuracy: list[float | None]  # per group
    val_average: float
    val_worst: float | None
    group_weights: list[float] | None = None  # q of group DRO at the end of the epoch
    seconds: float


class TrainHistory(Artifact):
    """`models/<dataset>/<method>/history.json`."""

    method: str
    labels_used: list[str]
    model: str
    n_parameters: int
    precision: str
    device: str
    selection: str
    selected_epoch: dict[str, int]  # seed -> epoch
    epochs: list[EpochRecord]
    seconds: float
