"""What the stage `train` is told of one method: every network that it trains, complete."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pipeline.settings.base import DecidesNothing, Settings
from pipeline.settings.models import Model
from pipeline.settings.train import TrainSettings


class NetworkPlan(Settings):
    """`method` are its own keys: whoever uses them knows what they are."""

    train: TrainSettings
    method: dict[str, Any]


class BroughtPlan(Settings):
    """Of a model that was trained elsewhere: nothing is trained, its files are read."""

    brought: Model
    entry: str = Field(description="its name in `models`")
    files: dict[str, str] = Field(description="sha256 of the files that it is made of, by their paths")
    is_baseline: Annotated[bool, DecidesNothing()]


class TrainPlan(NetworkPlan):
    base: NetworkPlan | None = Field(None, description="of the model that the method starts from")
    further: dict[str, TrainSettings] = Field(
        default_factory=dict, description="of the method's other networks"
    )
    sections: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="others that decide the result, as params.yaml has them"
    )
    is_baseline: Annotated[bool, DecidesNothing()]
