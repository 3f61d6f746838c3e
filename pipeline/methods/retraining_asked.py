"""Whether a method is to be trained on parts of the images, and what that gives; none of it loads torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.core.types import Float32Array
from pipeline.methods.recipe import Setup
from pipeline.records.retraining import Training
from pipeline.settings.retrain import RetrainSettings


@dataclass(frozen=True)
class Retrained:
    """What M trainings say of T test images."""

    trainings: list[Training]  # with their accuracy
    margins_MT: Float32Array
    reason: str | None  # why there are none


def why_not(setup: Setup[Any], settings: RetrainSettings) -> str | None:
    """Why a method is not retrained; None where it is."""
    if setup.name not in settings.methods:
        return f"retrain.methods does not name {setup.name}"
    if settings.subsets == 0 and not settings.thin_keep:
        return "retrain.subsets is 0 and retrain.thin_keep is empty (32 subsets and [0.0, 0.5] would do)"
    return setup.method.why_not_retrained(setup.settings)
