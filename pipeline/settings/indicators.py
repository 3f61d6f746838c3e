"""`indicators` of `params.yaml`: what is measured of how a model generalizes, beyond accuracy."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Seed, Settings


class IndicatorsSettings(Settings):
    images_per_group: int = Field(
        ge=0, description="test images of each group for what is expensive; 0 = not measured"
    )
    max_train: int | None = Field(ge=100, description="training images that are looked at; null = all")
    max_models: int | None = Field(ge=1, description="seeds for what is expensive; null = all")
    attack_radius: float = Field(
        gt=0, le=1, description="largest change of a pixel by attacks; pixels are in 0 to 1: 8/255 = 0.0314"
    )
    attack_steps: int = Field(ge=1, description="steps of projected gradient descent (PGD)")
    attack_restarts: int = Field(ge=1, description="random starts of each attack")
    severities: list[int] = Field(description="of the 15 common corruptions, 1 to 5; [] = not measured")
    sharpness_images: int = Field(
        ge=0, description="training images that sharpness is measured on; 0 = not measured"
    )
    sharpness_radius: float = Field(gt=0, description="adaptive radius (ASAM), in units of each weight")
    sharpness_eigenvalue: bool = Field(
        default=False, description="the Hessian's top eigenvalue as well; many passes"
    )
    permutations: int = Field(ge=99, description="of drift's thresholds")
    seed: Seed
