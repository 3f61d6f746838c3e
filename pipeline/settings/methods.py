"""What the settings of several training methods share; each method's own are in its file in `methods`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.settings.base import Settings

# explained in `statistics.accuracy.selection.choose_epoch`
Selection = Literal["average", "worst_group", "worst_group_lower_bound", "one_standard_error", "last"]


class MethodSettings(Settings):
    """One method's keys in `methods` of `params.yaml`."""

    key: ClassVar[str]  # the method's name


class NetworkSettings(MethodSettings):
    """Of a method that trains the whole network."""

    selection: Selection
    train: dict[str, Any] = Field(default_factory=dict, description="train settings it overrides")


class GroupSettings(NetworkSettings):
    """Of a method that trains with groups."""

    allow_empty_groups: bool = Field(description="leave groups without images out")
    groups: Literal["given", "inferred"] = Field(
        description="inferred: from an ERM model, without looking at the attribute"
    )
    inference: Literal["errors", "clusters"] = Field(
        description="errors: class x whether ERM errs; clusters: of ERM's embeddings, in each class"
    )
    inference_epochs: int | None = Field(
        ge=1, description="epochs of the ERM model whose errors count; null = those of ERM itself"
    )
    clusters_per_class: int = Field(ge=2, le=20)
