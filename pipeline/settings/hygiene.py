"""`hygiene` of `params.yaml`: duplicates and odd images."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Seed, Settings


class HygieneSettings(Settings):
    near_duplicates: bool = Field(description="also look for images that are alike, not identical")
    min_similarity: float = Field(gt=0.5, le=1, description="least similarity of near duplicates")
    seed: Seed
