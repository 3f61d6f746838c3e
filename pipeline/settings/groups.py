"""`groups` of `params.yaml`: which attribute forms the groups, and what it is crossed with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Settings


class GroupsSettings(Settings):
    derive_attribute: Literal["auto", "ring_lightness", "ring_hue", "never"] = Field(
        description="auto: ring lightness where no attribute is annotated"
    )
    levels: int = Field(ge=2, le=5, description="levels of a derived attribute")
    group_by: Literal["auto", "class", "superclass", "all"] = Field(
        description="what groups cross with the attribute; auto: superclass where there is one"
    )
