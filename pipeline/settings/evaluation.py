"""`evaluate` of `params.yaml`: how test images score trained models."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Seed, Settings


class EvaluateSettings(Settings):
    min_test: int = Field(ge=1, description="fewer test images in a group: too few to decide anything")
    min_val: int = Field(
        ge=0, description="the same for what is measured on validation; test accuracy does not depend on it"
    )
    max_images: int | None = Field(
        ge=100, description="group-stratified test images for the interventions; null = all"
    )
    seed: Seed = Field(description="of donors and bootstraps of the interventions")
