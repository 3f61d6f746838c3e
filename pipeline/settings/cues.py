"""`cues` of `params.yaml`: what alone gives the class away, named or not."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Seed, Settings


class CuesSettings(Settings):
    min_kappa: float = Field(ge=0, lt=1, description="least kappa of a cue that counts as found")
    alpha: float = Field(gt=0, lt=0.5, description="false discovery rate over all cues")
    folds: int = Field(ge=2, le=20)
    max_train: int | None = Field(
        ge=100, description="stratified training (and test) images that are looked at; null = all"
    )
    trees_max_train: int = Field(ge=0, description="of them for trees; 0 = linear classifiers alone")
    seed: Seed
