"""What the stage `retrain` is told of one method."""

from __future__ import annotations

from typing import Any

from pipeline.settings.base import Settings
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.train import TrainSettings


class RetrainPlan(Settings):
    retrain: RetrainSettings  # its `methods` name this one or none: others are of no concern
    train: TrainSettings  # the parts have seeds of their own, so those of `train` are of no concern
    method: dict[str, Any]
