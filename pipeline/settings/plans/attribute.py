"""What the stage `attribute` is told of one method."""

from __future__ import annotations

from pipeline.settings.attribution import AttributeSettings
from pipeline.settings.base import Settings
from pipeline.settings.train import Device


class AttributePlan(Settings):
    attribute: AttributeSettings
    device: Device  # of the method's trainings
