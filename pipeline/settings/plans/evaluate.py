"""What the stage `evaluate` is told of one method."""

from __future__ import annotations

from pipeline.core.types import Device
from pipeline.settings.base import Settings
from pipeline.settings.evaluation import EvaluateSettings


class EvaluatePlan(Settings):
    evaluate: EvaluateSettings
    device: Device  # of the method's trainings
