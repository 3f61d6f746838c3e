"""`color` of `params.yaml`: what colors alone say of classes and groups."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Seed, Settings


class ColorSettings(Settings):
    permutations: int = Field(ge=99, le=100_000)
    min_omega_squared: float = Field(ge=0, lt=1, description="least effect size of a finding")
    min_kappa: float = Field(ge=0, lt=1, description="least color-only kappa of a finding")
    alpha: float = Field(gt=0, lt=0.5, description="false discovery rate")
    folds: int = Field(ge=2, le=20)
    boosted_max_train: int = Field(
        ge=0, description="stratified training images for the boosted trees; 0 = no boosted trees"
    )
    examples_per_class: int = Field(ge=0, le=24, description="most and least typical images kept")
    seed: Seed
