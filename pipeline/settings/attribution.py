"""`attribute` of `params.yaml`: which training images did it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipeline.settings.base import Seed, Settings


class TrakerSettings(Settings):
    """Of `estimator: traker`, where `ridge`, `loss_weighting` (always 1) and `store` (fp32) do not hold."""

    projector: Literal["traker", "own"] = Field(
        "traker", description="traker: a dense random matrix; own: as `projection` and `precision` say"
    )
    score_computer: Literal["traker", "own"] = Field(
        "traker", description="own: in float64, in the unit of the margin"
    )
    lambda_reg: float = Field(
        0.0, ge=0, description="ridge; times the mean squared feature norm where score_computer: own"
    )


class AttributeSettings(Settings):
    estimator: Literal["trak", "grad_cosine", "last_layer", "traker", "ekfac"] = Field(
        description="trak: this project's own code; traker: the library; ekfac needs the extra: "
        "pip install 'shortcut-audit[ekfac]'"
    )
    traker: TrakerSettings = Field(default_factory=TrakerSettings)
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
