"""`indicators` of `params.yaml`: what is measured of how a model generalizes, beyond accuracy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings.base import Seed, Settings


class IndicatorsSettings(Settings):
    images_per_group: int = Field(
        ge=0, description="test images of each group for what is expensive; 0 = not measured"
    )
    max_train: int | None = Field(None, ge=100, description="training images that are looked at; null = all")
    max_models: int | None = Field(ge=1, description="seeds for what is expensive; null = all")
    attack_radius: float = Field(
        gt=0, le=1, description="largest change of a pixel by attacks; pixels are in 0 to 1: 8/255 = 0.0314"
    )
    attack_steps: int = Field(ge=1, description="steps of projected gradient descent (PGD)")
    attack_restarts: int = Field(ge=1, description="random starts of each attack")
    severities: list[Annotated[int, Field(ge=1, le=5)]] = Field(
        description="of the 15 common corruptions, 1 to 5; [] = not measured"
    )
    sharpness_images: int = Field(
        ge=0, description="training images that sharpness is measured on; 0 = not measured"
    )
    sharpness_radius: float = Field(
        gt=0, description="of the worst case: an adaptive radius (ASAM), in units of each weight"
    )
    sharpness_eigenvalue: bool = Field(
        default=False, description="the Hessian's top eigenvalue as well; many passes"
    )
    permutations: int = Field(ge=99, description="of drift's thresholds")
    other_datasets: list[str] = Field(
        default_factory=list,
        description="names in `datasets` whose images are new to the model, such as classes held out: "
        "whether it notices them, and whether a probe of its features reads their classes",
    )
    seed: Seed
