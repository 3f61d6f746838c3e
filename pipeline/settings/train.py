"""`train` of `params.yaml`: the network, the optimizer, and what every training method can switch on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from pipeline.core.types import Device
from pipeline.settings.base import DecidesNothing, FilledIn, Seeds, Settings
from pipeline.settings.models import OwnNetwork


class TrainSettings(Settings):
    """Options that have a default are off by default."""

    model: str = Field(
        description="small_resnet; timm/ and a name of timm's: timm/resnet50.tv_in1k; or models. and "
        "the name of a network of `models`: models.my_net"
    )
    network: Annotated[SkipJsonSchema[OwnNetwork | None], FilledIn()] = None  # what models.my_net is
    model_args: dict[str, Any] = Field(
        default_factory=dict, description="further arguments of timm's network"
    )
    input_size: int | None = Field(
        None, ge=8, description="side that a network of timm's sees; null = that of the packed images"
    )
    width: int = Field(ge=4, le=256, description="first stage's channels of small_resnet")
    stem_stride: Literal[1, 2, 4] = Field(
        description="stride of small_resnet's first convolution: 1 for 32 px, 2 for 64, 4 for 128"
    )
    norm: Literal["batch", "group", "layer"] = Field(
        "batch",
        description="of small_resnet; group: 16 channels of one image together; layer: all of them",
    )
    pretrained: bool | str = Field(
        description="true = start from timm's weights (downloads), or from those of models.my_net; or a file "
        "or folder that holds weights"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="of the features before the head")
    stochastic_depth: float = Field(
        0.0, ge=0, lt=1, description="probability of skipping the last residual block; earlier ones less"
    )
    seeds: Seeds = Field(min_length=1)
    epochs: int = Field(ge=1)
    patience: int | None = Field(
        None, ge=1, description="stop after so many epochs without improvement on validation; null = never"
    )
    batch_size: int = Field(ge=2)

    optimizer: Literal["sgd", "adamw", "adam", "lion"]
    lr: float = Field(gt=0, description="highest rate; `find-lr DATASET METHOD` suggests one")
    momentum: float = Field(ge=0, lt=1, description="of sgd")
    weight_decay: float = Field(
        ge=0, description="of all parameters; sgd, adam: added to the gradient; adamw, lion: decoupled"
    )
    l1: float = Field(
        0.0,
        ge=0,
        description="penalty on the sizes of weights, of which many become 0; not of biases, normalization",
    )
    schedule: Literal["constant", "one_cycle", "cosine"]
    warm_up_epochs: float = Field(
        0.0, ge=0, description="epochs in which the rate rises; one_cycle: 0 = a quarter of all"
    )
    warm_up: Literal["linear", "cosine", "exponential"] = Field(
        "linear", description="how it rises: in a straight line, half a wave, or by the same factor each step"
    )
    clip_norm: float | None = Field(None, gt=0, description="longest gradient; null = any")
    sam_rho: float = Field(
        0.0, ge=0, description="radius of sharpness-aware minimization; 0 = off (usual: 0.05, adaptive 0.5)"
    )
    sam_adaptive: bool = Field(False, description="radius in proportion to each weight (ASAM)")
    average: Literal["none", "ema", "swa"] = Field(
        "none", description="ema: moving average of the weights; swa: their mean over the last epochs"
    )
    ema_decay: float = Field(0.999, gt=0, lt=1, description="share of the average kept at each step")
    swa_start: float = Field(0.75, ge=0, lt=1, description="share of the epochs before the mean begins")

    augment: Literal["none", "flip", "crop", "flip_crop"]
    auto_augment: Literal["none", "trivial", "rand"] = Field(
        "none", description="TrivialAugmentWide or RandAugment, drawn for each image"
    )
    color_jitter: float = Field(
        0.0, ge=0, le=1, description="strength; 1: 0.8 brightness, contrast, saturation, 0.2 hue"
    )
    mixup: float = Field(0.0, ge=0, description="alpha of the shares Beta(alpha, alpha); 0 = off")
    cutmix: float = Field(0.0, ge=0, description="alpha; with mixup each batch gets one of the two")
    label_smoothing: float = Field(ge=0, lt=1)
    loss: Literal[
        "cross_entropy",
        "generalized_cross_entropy",
        "symmetric_cross_entropy",
        "bootstrapped_cross_entropy",
    ] = Field("cross_entropy", description="of each image; the others are misled less by wrong labels")
    gce_q: float = Field(
        0.7,
        gt=0,
        le=1,
        description="of generalized_cross_entropy; towards 0: cross-entropy, 1: absolute error",
    )
    sce_alpha: float = Field(0.1, ge=0, description="of symmetric_cross_entropy: share of cross-entropy ...")
    sce_beta: float = Field(1.0, ge=0, description="... and of the reverse one")
    bootstrap_beta: float = Field(
        0.95,
        gt=0,
        le=1,
        description="of bootstrapped_cross_entropy: the label's share of the target, beside the prediction",
    )

    min_val: int = Field(
        1, ge=1, description="groups with fewer validation images do not count in selection, where others do"
    )
    precision: Literal["auto", "fp32", "bf16"]
    device: Device
    compile: bool = Field(False, description="torch.compile; needs a C++ compiler on a CPU")
    workers: Annotated[int | None, DecidesNothing()] = Field(
        None, ge=1, description="one-thread processes for networks side by side, on a CPU; null = by network"
    )
    checkpoint_seconds: Annotated[float, DecidesNothing()] = Field(
        gt=0, description="at most this long between checkpoints"
    )
    checkpoints: int = Field(
        0, ge=0, description="weights of so many more epochs kept, spread over the last half; for attribution"
    )

    @model_validator(mode="after")
    def _warm_up_fits(self) -> TrainSettings:
        if self.warm_up_epochs >= self.epochs:
            raise ValueError(f"warm_up_epochs = {self.warm_up_epochs:g} must be below epochs = {self.epochs}")
        return self

    @model_validator(mode="after")
    def _symmetric_loss_has_a_part(self) -> TrainSettings:
        if self.loss == "symmetric_cross_entropy" and self.sce_alpha == self.sce_beta == 0:
            raise ValueError("sce_alpha and sce_beta are both 0, so that nothing is learned: raise one")
        return self

    @model_validator(mode="after")
    def _checkpoints_fit(self) -> TrainSettings:
        most = (self.epochs + 1) // 2 - 1
        if self.checkpoints > most:
            raise ValueError(
                f"checkpoints = {self.checkpoints} must be {most} or less: so many epochs has the last half "
                f"of epochs = {self.epochs} without the last one"
            )
        return self
