"""`evaluate` and `gradcam` of `params.yaml`: what is asked of trained models."""

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


class GradcamSettings(Settings):
    layer: str = Field(description="auto, or the module's name")
    min_cells: int = Field(ge=1, description="least side of the map before upsampling")
    images_per_group: int = Field(ge=1)
    faithfulness_images: int = Field(ge=0, description="images for insertion and deletion; 0 = not measured")
    faithfulness_steps: int = Field(ge=3, le=200, description="points of the insertion and deletion curves")
    sanity_images: int = Field(ge=0, description="images for the randomization check; 0 = not measured")
    overlays: int = Field(ge=1, le=50, description="pictures of failures, and of successes")
    thumbnail: int = Field(ge=32, le=512, description="side of the pictures, pixels")
    max_models: int | None = Field(ge=1, description="seeds used; null = all")
    batch_size: int = Field(ge=1)
    seed: Seed
