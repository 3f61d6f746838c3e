"""`attribute` and `retrain` of `params.yaml`: which training images did it, and the proof by retraining."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from pipeline.settings.base import Seed, Settings
from pipeline.settings.methods import MethodName

FanOutExecutor = Literal["local", "slurm", "submitit_local"]


class AttributeSettings(Settings):
    estimator: Literal["trak", "grad_cosine", "last_layer", "ekfac"] = Field(
        description="ekfac needs the extra: pip install 'shortcut-audit[ekfac]'"
    )
    proj_dim: int | Literal["auto"] = Field(
        description="dimension of the projected gradients, above 100; auto: by the number of training images"
    )
    projection: Literal["auto", "block_sketch", "factorized"] = Field(
        description="auto: from network, dimension and memory"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(description="of the gradients; auto: the faster one")
    ridge: float = Field(ge=0, description="times the mean squared feature norm")
    loss_weighting: float = Field(
        ge=0, le=1, description="power of 1 - p(label) of the training image; TRAK as published: 1; none: 0"
    )
    store: Literal["fp16", "fp32"] = Field(description="precision of the features kept on disk meanwhile")
    max_train: int | None = Field(ge=100, description="stratified training subset; null = all")
    targets_per_group: int | None = Field(ge=1, description="audited test images per group; null = all")
    targets_listed: int = Field(ge=1, description="audited test images kept with their training images")
    top_k: int = Field(ge=1, le=100, description="helpful and harmful images kept per target")
    max_models: int | None = Field(ge=1, description="seeds used; null = all")
    batch_size: int = Field(ge=1)
    seed: Seed

    @field_validator("proj_dim")
    @classmethod
    def _keeps_inner_products(cls, dim: int | str) -> int | str:
        if isinstance(dim, int) and dim <= 100:
            raise ValueError("should be greater than 100, or auto")
        return dim


class RetrainSettings(Settings):
    """Retraining on parts of the training images: what scores foretell is checked against it."""

    methods: list[MethodName] = Field(description="methods that are retrained; others are not checked")
    subsets: int = Field(ge=0, le=1000, description="random subsets; 0 = no linear datamodeling score")
    share: float = Field(gt=0, lt=1, description="of the training images in a subset")
    repeats: int = Field(ge=1, le=20, description="trainings of each subset; the ceiling needs two")
    thin_keep: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        description="shares of a training group that are kept when it is thinned; [] = not checked"
    )
    thin_repeats: int = Field(
        ge=2, le=50, description="trainings of each thinned group, and of all images; intervals need two"
    )
    executor: FanOutExecutor = Field(
        description="local: processes on this machine; slurm: a job array, submitit_local: its jobs here "
        "(both need the extra submitit)"
    )
    workers: int | None = Field(
        ge=1, description="one-thread processes, or jobs, side by side; null = one per core, or per GPU"
    )
    submitit: dict[str, Any] = Field(
        description="settings of submitit's executor, such as slurm_partition or timeout_min"
    )
    seed: Seed
