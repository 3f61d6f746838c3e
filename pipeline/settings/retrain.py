"""`retrain` of `params.yaml`: the proof of what attribution foretells, by retraining."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pipeline.core.types import FanOutExecutor
from pipeline.settings.base import DecidesNothing, Seed, Settings


class RetrainSettings(Settings):
    """Retraining on parts of the training images: what scores foretell is checked against it."""

    methods: list[str]
    subsets: int = Field(ge=0, le=1000, description="random subsets; 0 = no linear datamodeling score")
    share: float = Field(gt=0, lt=1, description="of the training images in a subset")
    repeats: int = Field(ge=1, le=20, description="trainings of each subset; the ceiling needs two")
    thin_keep: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        description="shares of a training group that are kept when it is thinned; [] = not checked"
    )
    thin_repeats: int = Field(
        ge=2, le=50, description="trainings of each thinned group, and of all images; intervals need two"
    )
    executor: Annotated[FanOutExecutor, DecidesNothing()] = Field(
        description="local: processes on this machine; slurm: a job array, submitit_local: its jobs here "
        "(both need the extra submitit)"
    )
    workers: Annotated[int | None, DecidesNothing()] = Field(
        ge=1, description="one-thread processes, or jobs, side by side; null = one per core, or per GPU"
    )
    submitit: Annotated[dict[str, Any], DecidesNothing()] = Field(
        description="settings of submitit's executor, such as slurm_partition or timeout_min"
    )
    seed: Seed
