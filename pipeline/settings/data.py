"""`data` of `params.yaml`: how a source becomes packed images and groups."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from pipeline.settings.base import Seed, Settings


class DataSettings(Settings):
    image_size: int = Field(ge=8, le=512, description="side of the packed square images, pixels")
    fit: Literal["crop", "squash", "pad"] = Field(description="how other shapes become square")
    val_fraction: float = Field(gt=0, lt=0.5, description="carved from train where val is missing")
    test_fraction: float = Field(gt=0, lt=0.5, description="carved where test is missing")
    split_seed: Seed
    max_per_class: int | None = Field(None, ge=2, description="subsample train; null = all")
    skip_unreadable: bool = Field(description="leave unreadable images out instead of stopping")
    value_range: Literal["auto"] | tuple[float, float] = Field(
        "auto", description="black and white of images beyond 8 bits; auto: the narrowest usual range of all"
    )
    derive_attribute: Literal["auto", "ring_lightness", "ring_hue", "never"] = Field(
        description="auto: ring lightness where no attribute is annotated"
    )
    levels: int = Field(ge=2, le=5, description="levels of a derived attribute")
    group_by: Literal["auto", "class", "superclass", "all"] = Field(
        description="what groups cross with the attribute; auto: superclass where there is one"
    )

    @field_validator("value_range", mode="before")
    @classmethod
    def _is_range(cls, given: Any) -> Any:
        is_pair = isinstance(given, list | tuple) and len(given) == 2
        if given != "auto" and not (
            is_pair and all(isinstance(v, int | float) for v in given) and given[0] < given[1]
        ):
            raise ValueError("should be auto, or [black, white] as in [0, 4095]")
        return given
