"""`methods` of `params.yaml`: one class for each training method.

`dfr` and `repair` have ERM's training settings. Every other method's `train` says which it overrides.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from pipeline.settings.base import Settings

MethodName = Literal["erm", "group_dro", "rwg", "subg", "rwy", "jtt", "dfr", "repair"]
LEAST_MIN_IMAGES = 4  # of a group that DFR fits on
TRAINED_WITH_GROUPS: tuple[MethodName, ...] = ("group_dro", "rwg", "subg")  # the `GroupSettings`
# explained in `statistics.accuracy.selection.choose_epoch`
Selection = Literal["average", "worst_group", "worst_group_lower_bound", "one_standard_error", "last"]


class NetworkSettings(Settings):
    """Of a method that trains the whole network."""

    key: ClassVar[MethodName]
    selection: Selection
    train: dict[str, Any] = Field(default_factory=dict, description="train settings it overrides")


class ErmSettings(NetworkSettings):
    """Every image counts the same."""

    key: ClassVar[MethodName] = "erm"


class RwySettings(NetworkSettings):
    """Every class is drawn equally often."""

    key: ClassVar[MethodName] = "rwy"


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


class GroupDroSettings(GroupSettings):
    """The groups with the highest loss get more weight."""

    key: ClassVar[MethodName] = "group_dro"
    step_size: float = Field(gt=0, description="eta of the group weights")
    adjustment: float = Field(ge=0, description="C of the generalization adjustment C/sqrt(n_g)")


class RwgSettings(GroupSettings):
    """Every group is drawn equally often."""

    key: ClassVar[MethodName] = "rwg"


class SubgSettings(GroupSettings):
    """Every group is cut down to the smallest group's size."""

    key: ClassVar[MethodName] = "subg"
    keep_steps: bool = Field(
        description="pass over the subset until an epoch has as many steps as one over all images"
    )


class JttSettings(NetworkSettings):
    """Images that a first model gets wrong are repeated."""

    key: ClassVar[MethodName] = "jtt"
    identification_epochs: int = Field(ge=1, description="epochs of the first model")
    identification: dict[str, Any] = Field(
        default_factory=dict, description="train settings the first model overrides"
    )
    upweight: int = Field(ge=2, description="how often an epoch shows an image the first model got wrong")


class RepairSettings(Settings):
    """ERM again, without the images that attribution finds most harmful to the worst group.

    It is trained and selected as ERM is, so that the images left out are all that differs.
    """

    key: ClassVar[MethodName] = "repair"
    groups: Literal["given", "inferred"] = Field(
        description="inferred: the worst cluster of the attributions of validation images, no attribute read"
    )
    fractions: list[Annotated[float, Field(gt=0, lt=0.9)]] = Field(
        min_length=1, description="shares of the training images whose removal is tried"
    )
    curve_seeds: int = Field(ge=1, description="seeds that each share is tried with")
    controls: bool = Field(description="also leave out as many at random, and as many group-balanced")


class DfrSettings(Settings):
    """ERM's network with its last layer trained again on balanced groups."""

    key: ClassVar[MethodName] = "dfr"
    fit_on: Literal["val", "train"] = Field(description="the split the last layer is trained on")
    penalty: Literal["l1", "l2"] = Field(description="l2 where there are many classes: l1 is slow then")
    strengths: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="values tried for C, the inverse strength of the penalty"
    )
    n_fits: int = Field(ge=1, le=200, description="last layers averaged, each from its own balanced subset")
    min_images: int = Field(ge=LEAST_MIN_IMAGES, description="fewer images in the smallest group: an error")


class MethodsSettings(Settings):
    erm: ErmSettings
    group_dro: GroupDroSettings
    rwg: RwgSettings
    subg: SubgSettings
    rwy: RwySettings
    jtt: JttSettings
    dfr: DfrSettings
    repair: RepairSettings


AnyMethodSettings = (
    ErmSettings
    | GroupDroSettings
    | RwgSettings
    | SubgSettings
    | RwySettings
    | JttSettings
    | DfrSettings
    | RepairSettings
)


METHOD_SETTINGS: dict[MethodName, type[AnyMethodSettings]] = {
    kind.key: kind for kind in get_args(AnyMethodSettings)
}


def needs_erm(method: AnyMethodSettings) -> bool:
    """Whether ERM's settings decide the result too: the method starts from its model, or from a brief one."""
    return isinstance(method, DfrSettings | RepairSettings) or (
        isinstance(method, GroupSettings) and method.groups == "inferred"
    )
