"""The networks that `train.model` names, behind one shape of interface."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchvision
from torch import nn

from pipeline.core.errors import InputError
from pipeline.models.classifier import Classifier
from pipeline.models.regularization import ResidualBlock
from pipeline.models.vision_transformer import build_vit

__all__ = ["Classifier", "build_model"]


def _conv_bn_relu(n_in: int, n_out: int, *, stride: int = 1, pool: bool = False) -> nn.Sequential:
    kernel = max(3, 2 * stride - 1)  # overlapping windows whatever the stride
    relu = nn.ReLU()  # not in place: per-sample gradients under vmap need the input
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        *([nn.MaxPool2d(2)] if pool else []),  # before the ReLU: the same values for a quarter of the work
        relu,
    )


def _residual(channels: int) -> ResidualBlock:
    return ResidualBlock(nn.Sequential(_conv_bn_relu(channels, channels), _conv_bn_relu(channels, channels)))


def small_resnet_stages(width: int, stem_stride: int) -> tuple[nn.Sequential, int]:
    """A ResNet-9 in the manner of the fast CIFAR entries: 32 px in, 32 / (8 x stem_stride) cells out."""
    stages = nn.Sequential(
        _conv_bn_relu(3, width, stride=stem_stride),
        nn.Sequential(_conv_bn_relu(width, 2 * width, pool=True), _residual(2 * width)),
        _conv_bn_relu(2 * width, 4 * width, pool=True),
        nn.Sequential(_conv_bn_relu(4 * width, 8 * width, pool=True), _residual(8 * width)),
    )
    return stages, 8 * width


def torchvision_stages(name: str, pretrained: bool) -> tuple[nn.Sequential, int]:
    """A torchvision ResNet without its pooling and head."""
    try:
        net = torchvision.models.get_model(name, weights="DEFAULT" if pretrained else None)
    except OSError as error:
        raise InputError(
            f"the ImageNet weights of {name} could not be downloaded ({error}). Connect to the "
            "network, put the file into torch's hub cache, or set train.pretrained: false."
        ) from error
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # per-sample gradients under vmap need the input
    stages = nn.Sequential(
        nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool),
        net.layer1,
        net.layer2,
        net.layer3,
        net.layer4,
    )
    return stages, int(net.fc.in_features)


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
            return build_vit(image_size, n_classes, mean, std)
        if name == "small_resnet":
            stages, n_features = small_resnet_stages(width, stem_stride)
        elif name in ("resnet18", "resnet50"):
            stages, n_features = torchvision_stages(name, pretrained)
            if pretrained:
                mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        else:
            raise InputError(f"model {name!r} is not known: use small_resnet, resnet18, resnet50 or vit_tiny")
        return Classifier(stages, n_features, n_classes, mean, std)
