"""A ResNet-9 in the manner of the fast CIFAR entries.

Shape legend: N images, C channels, H height, W width.
"""

from __future__ import annotations

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """A body of layers around a skip connection."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out: Tensor = x_NCHW + self.body(x_NCHW)
        return out


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
