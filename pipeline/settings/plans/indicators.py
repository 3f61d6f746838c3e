"""What the stage `indicators` is told of one method."""

from __future__ import annotations

from pipeline.core.types import Device
from pipeline.settings.base import Settings
from pipeline.settings.indicators import IndicatorsSettings
from pipeline.settings.train import TrainSettings


class IndicatorsPlan(Settings):
    indicators: IndicatorsSettings
    device: Device  # of the method's trainings
    min_test: int  # a group with fewer test images is too small to decide anything
    train: TrainSettings | None  # with which it was trained; None: elsewhere
    others: dict[str, str | None]  # `packing` of other datasets; None: not packed when this was planned
