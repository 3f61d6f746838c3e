"""What the stage `gradcam` is told of one method."""

from __future__ import annotations

from pipeline.core.types import Device
from pipeline.settings.base import Settings
from pipeline.settings.gradcam import GradcamSettings


class GradcamPlan(Settings):
    gradcam: GradcamSettings
    device: Device  # of the method's trainings
