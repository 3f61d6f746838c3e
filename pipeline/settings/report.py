"""`report` of `params.yaml`."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Settings


class ReportSettings(Settings):
    examples_per_group: int = Field(ge=1, le=24)
    targets_shown: int = Field(ge=1, le=100, description="audited test images shown one by one")
    thumbnail: int = Field(ge=32, le=256, description="side of the pictures, pixels")
    min_effect: float = Field(gt=0, lt=1, description="accuracy or flip-rate change that matters")
