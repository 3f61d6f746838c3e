"""What the stage `evaluate` is told of one method."""

from __future__ import annotations

from pipeline.core.types import Device
from pipeline.settings.base import Settings
from pipeline.settings.evaluation import EvaluateSettings


class EvaluatePlan(Settings):
    evaluate: EvaluateSettings
    device: Device  # of the method's trainings
    is_baseline: bool  # it alone is asked about cues that may be what a class looks like
