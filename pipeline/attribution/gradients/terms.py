"""What a layer adds to the per-sample gradient of its parameters, before anything large is made of it.

Shape legend: B images, T positions (of an image, or tokens), C channels, G groups of a convolution,
O outputs of a group, I inputs of a group, H height, W width, R sketched inputs.
The inputs of a convolution's output are ordered kernel row, kernel column, channel: the order in which
they lie in memory when channels come last.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.attribution.gradients.projector import BlockSketch


@dataclass(frozen=True)
class Windows:
    """The inputs that each position of a layer's output has seen; a linear layer has a 1 x 1 kernel."""

    padded_BHWC: Tensor
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    out_size: tuple[int, int]
    groups: int

    @property
    def n_positions(self) -> int:
        return self.out_size[0] * self.out_size[1]

    @property
    def n_inputs(self) -> int:
        return self.kernel[0] * self.kernel[1] * self.padded_BHWC.shape[3] // self.groups

    def matrix(self, rows: slice) -> Tensor:
        """(B G) x T x I of some images: im2col."""
        x_BHWC = self.padded_BHWC[rows]
        batch, _, _, channels = x_BHWC.shape
        by_image, by_row, by_column, by_channel = x_BHWC.stride()
        (down, right), (dilation_down, dilation_right) = self.stride, self.dilation
        windows = x_BHWC.as_strided(
            (batch, *self.out_size, *self.kernel, channels),
            (by_image, by_row * down, by_column * right, by_row * dilation_down, by_column * dilation_right,
             by_channel),
        )  # fmt: skip
        if self.groups == 1:
            return windows.reshape(batch, self.n_positions, self.n_inputs)
        grouped: Tensor = windows.unflatten(5, (self.groups, -1)).permute(0, 5, 1, 2, 3, 4, 6)
        return grouped.reshape(batch * self.groups, self.n_positions, self.n_inputs)

    def sketch(self, rows: slice, sketch: BlockSketch) -> Tensor:
        """B x T x R: the same inputs under `sketch`, without im2col. Only for one group."""
        x_BHWC = self.padded_BHWC[rows]
        channels = x_BHWC.shape[3]
        (down, right), (height, width) = self.stride, self.out_size
        out_BHWR = x_BHWC.new_zeros(len(x_BHWC), height, width, sketch.n_out)
        for place in range(self.kernel[0] * self.kernel[1]):
            row, column = divmod(place, self.kernel[1])
            top, left = row * self.dilation[0], column * self.dilation[1]
            seen_BHWC = x_BHWC[
                :, top : top + down * (height - 1) + 1 : down, left : left + right * (width - 1) + 1 : right
            ]
            for run in sketch.runs(place * channels, channels):
                signs = run.signs.to(x_BHWC.dtype)
                out_BHWR[..., run.to].addcmul_(seen_BHWC[..., run.at], signs)
        return out_BHWR.flatten(1, 2)


@dataclass(frozen=True)
class Outer:
    """Gradient of a weight matrix: the sum over positions of output gradient times input."""

    name: str
    shape: torch.Size  # of the parameter
    out_grads_BOT: Tensor  # all groups' outputs
    inputs: Windows

    def gradients(self, rows: slice, out: Tensor | None = None) -> Tensor:
        """B x (G O I) of some images, inputs in the order of `Windows`."""
        grads_BOT = self.out_grads_BOT[rows]
        groups = self.inputs.groups
        if groups > 1:
            grads_BOT = grads_BOT.reshape(len(grads_BOT) * groups, -1, grads_BOT.shape[2])
        product = torch.bmm(grads_BOT, self.inputs.matrix(rows), out=out)
        return product.reshape(len(product) // groups, -1)

    def as_parameter(self, flat_BP: Tensor) -> Tensor:
        """What `gradients` gives, in the parameter's own shape."""
        if len(self.shape) == 2:
            return flat_BP.reshape(-1, *self.shape)
        channels_last = flat_BP.reshape(-1, self.shape[0], *self.inputs.kernel, self.shape[1])
        return channels_last.permute(0, 1, 4, 2, 3)


@dataclass(frozen=True)
class Direct:
    """The per-sample gradient of a small parameter itself, B x shape."""

    name: str
    grads: Tensor


Term = Outer | Direct
