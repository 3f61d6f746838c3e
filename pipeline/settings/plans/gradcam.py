"""What the stage `gradcam` is told of one method."""

from __future__ import annotations

from pipeline.core.types import Device
from pipeline.settings.base import Settings
from pipeline.settings.gradcam import GradcamSettings


class GradcamPlan(Settings):
    gradcam: GradcamSettings
    layer_of: str = "gradcam.layer"  # the setting that its layer is of, for messages
    device: Device  # of the method's trainings
