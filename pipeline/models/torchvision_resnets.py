"""Torchvision's ResNets, without their heads and without in-place operations."""

from __future__ import annotations

import torchvision
from torch import nn

from pipeline.core.errors import InputError


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
