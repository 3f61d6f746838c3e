"""What the stage `retrain` is told of one method."""

from __future__ import annotations

from pipeline.settings.plans.train import NetworkPlan
from pipeline.settings.retrain import RetrainSettings


class RetrainPlan(NetworkPlan):
    """The parts have seeds of their own, so those of `train` are of no concern."""

    retrain: RetrainSettings  # its `methods` name this one or none: others are of no concern
    is_brought: bool = False  # it was trained elsewhere: how is not known
