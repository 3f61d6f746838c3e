"""`gradcam` of `params.yaml`: how the maps of where networks look are made and checked."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Seed, Settings


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
