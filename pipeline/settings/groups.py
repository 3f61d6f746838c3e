"""`groups` of `params.yaml`: what forms the groups, and what it is crossed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.core.words import join_names
from pipeline.settings.base import Settings
from pipeline.settings.moved import GONE, written

_HOLDS = " (auto: the annotated attribute, else a cue that a model uses; never: classes alone)"


class GroupsSettings(Settings):
    from_: str = Field(
        alias="from",
        min_length=1,
        description="auto: the first annotated attribute, else the cue that a model is seen to use, else "
        "classes alone; never: classes alone; inferred: what a briefly trained model says of each image; or "
        "the name of an annotated attribute, or of a cue",
    )
    inference: Literal["clusters", "errors"] = Field(
        description="of from: inferred, inside each class; clusters: of the early model's embeddings; "
        "errors: whether it errs"
    )
    group_by: Literal["auto", "class", "superclass", "all"] = Field(
        description="what groups cross with it; auto: superclass where there is one, but class where groups "
        "are inferred"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_what_replaces_levels(cls, given: Any) -> Any:
        gone = [key for key in GONE if isinstance(given, Mapping) and key in given]
        if gone:
            raise ValueError(
                f"{join_names(gone)} {'is' if len(gone) == 1 else 'are'} no more: nothing is read off the "
                f"border where no attribute is annotated. Write `groups: {{ {written(given)} }}`{_HOLDS}"
            )
        return given
