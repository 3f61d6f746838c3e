"""A ResNet-9 in the manner of the fast CIFAR entries.

Shape legend: N images, C channels, H height, W width.
"""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "group", "layer"]
GROUP_CHANNELS = 16  # of a group


class ResidualBlock(nn.Module):
    """A body of layers around a skip connection."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out: Tensor = x_NCHW + self.body(x_NCHW)
        return out


def normalization(kind: Norm, channels: int) -> nn.Module:
    """Over a batch, or over channels and places of one image: 16 channels together (group), or all (layer).

    Where 16 do not divide the channels, groups are fewer and larger.

    Source: Ioffe and Szegedy 2015 (arXiv:1502.03167); group, and layer for maps: Wu and He 2018
        (arXiv:1803.08494); Ba et al. 2016 (arXiv:1607.06450).
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    n_groups = 1 if kind == "layer" else math.gcd(channels, max(1, channels // GROUP_CHANNELS))
    return nn.GroupNorm(n_groups, channels)


def _conv_norm_relu(
    n_in: int, n_out: int, norm: Norm, *, stride: int = 1, pool: bool = False
) -> nn.Sequential:
    kernel = max(3, 2 * stride - 1)  # overlapping windows whatever the stride
    relu = nn.ReLU()  # not in place: per-sample gradients under vmap need the input
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=kernel, stride=stride, padding=kernel // 2, bias=False),
        normalization(norm, n_out),
        *([nn.MaxPool2d(2)] if pool else []),  # before the ReLU: the same values for a quarter of the work
        relu,
    )


def _residual(channels: int, norm: Norm) -> ResidualBlock:
    body = (_conv_norm_relu(channels, channels, norm), _conv_norm_relu(channels, channels, norm))
    return ResidualBlock(nn.Sequential(*body))


def small_resnet_stages(width: int, stem_stride: int, norm: Norm = "batch") -> tuple[nn.Sequential, int]:
    """A ResNet-9 in the manner of the fast CIFAR entries: 32 px in, 32 / (8 x stem_stride) cells out."""
    stages = nn.Sequential(
        _conv_norm_relu(3, width, norm, stride=stem_stride),
        nn.Sequential(_conv_norm_relu(width, 2 * width, norm, pool=True), _residual(2 * width, norm)),
        _conv_norm_relu(2 * width, 4 * width, norm, pool=True),
        nn.Sequential(_conv_norm_relu(4 * width, 8 * width, norm, pool=True), _residual(8 * width, norm)),
    )
    return stages, 8 * width
