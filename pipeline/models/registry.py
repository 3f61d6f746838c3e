"""The networks that `train.model` names, behind one shape of interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier
from pipeline.models.small_resnet import small_resnet_stages


def build_model(
    name: str,
    *,
    n_classes: int,
    width: int,
    stem_stride: int = 1,
    image_size: int | None = None,
    pretrained: bool,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
) -> Classifier:
    """The network `name` with weights drawn from `seed`.

    `mean` and `std` are the channel statistics of the training pixels in [0, 1]; with ImageNet
    weights the constants they were trained with are used instead. `image_size` is the side in
    pixels, which only vit_tiny needs to know.

    Raises:
        InputError: the name is unknown, or vit_tiny cannot cut the images into 8 x 8 patches.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "vit_tiny":
            from pipeline.models.vision_transformer import build_vit  # late: torchvision takes long to load

            return build_vit(image_size, n_classes, mean, std)
        if name == "small_resnet":
            stages, n_features = small_resnet_stages(width, stem_stride)
        elif name in ("resnet18", "resnet50"):
            from pipeline.models.torchvision_resnets import torchvision_stages

            stages, n_features = torchvision_stages(name, pretrained)
            if pretrained:
                mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        else:
            raise InputError(f"model {name!r} is not known: use small_resnet, resnet18, resnet50 or vit_tiny")
        return Classifier(stages, n_features, n_classes, mean, std)


def parameter_count(*, name: str, n_classes: int, **spec: Any) -> int:
    """Parameters of the network that these arguments of `build_model` make; none is drawn."""
    with torch.device("meta"):
        model = build_model(
            name, n_classes=n_classes, **spec, pretrained=False, mean=[0.0] * 3, std=[1.0] * 3, seed=0
        )
    return sum(p.numel() for p in model.parameters())
