"""What the stage `attribute` is told of one method."""

from __future__ import annotations

from pipeline.core.types import Device
from pipeline.settings.attribution import AttributeSettings
from pipeline.settings.base import Settings


class AttributePlan(Settings):
    attribute: AttributeSettings
    device: Device  # of the method's trainings
