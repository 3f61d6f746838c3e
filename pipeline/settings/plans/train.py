"""What the stage `train` is told of one method: every network that it trains, complete."""

from __future__ import annotations

from typing import Annotated, Any

from pipeline.settings.base import DecidesNothing, Settings
from pipeline.settings.train import TrainSettings


class NetworkPlan(Settings):
    """Of ERM, where a method starts from its networks."""

    train: TrainSettings
    method: dict[str, Any]


class TrainPlan(NetworkPlan):
    """`method` and `attribute` are as `params.yaml` has them: who uses them knows what they are."""

    erm: NetworkPlan | None = None
    first: TrainSettings | None = None  # of the network that tells `jtt` which images are hard
    attribute: dict[str, Any] | None = None  # by which `repair` chooses images
    is_baseline: Annotated[bool, DecidesNothing()]
