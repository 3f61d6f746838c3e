"""`data` of `params.yaml`: how a source becomes packed images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.core.words import join_names
from pipeline.settings.base import Seed, Settings
from pipeline.settings.moved import GONE, written

_MOVED = (*GONE, "group_by")  # to `groups`


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

    @model_validator(mode="before")
    @classmethod
    def _name_the_new_place(cls, given: Any) -> Any:
        moved = [key for key in _MOVED if isinstance(given, Mapping) and key in given]
        if moved:
            raise ValueError(
                f"{join_names(moved)} moved to the section `groups` beside `data`: write "
                f"`groups: {{ {written(given)} }}`"
            )
        return given

    @field_validator("value_range", mode="before")
    @classmethod
    def _is_range(cls, given: Any) -> Any:
        is_pair = isinstance(given, list | tuple) and len(given) == 2
        if given != "auto" and not (
            is_pair and all(isinstance(v, int | float) for v in given) and given[0] < given[1]
        ):
            raise ValueError("should be auto, or [black, white] as in [0, 4095]")
        return given
