"""What everything here asks of a network.

Shape legend: N images, C channels, H height, W width, K classes, h w cells of a map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Pixel normalization, a body that makes features of an image, a linear head.

    Normalization is part of the network so that every user of it (training, TRAK, GradCAM,
    attacks) speaks in plain pixels in [0, 1].
    """

    mean: Tensor
    std: Tensor
    head: nn.Linear
    n_classes: int
    # how pixels and weights lie in memory while it is trained
    memory_format: torch.memory_format = torch.channels_last

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))
        self.dropout: nn.Module = nn.Identity()  # see `regularize`

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        """Features before the head, N x n_features."""
        raise NotImplementedError

    def n_features(self) -> int:
        """How many of them there are."""
        return self.head.in_features

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        """Logits, N x K."""
        logits: Tensor = self.head(self.dropout(self.embed(pixels_NCHW)))
        return logits

    def map_layers(self) -> list[str]:
        """Names of the modules whose output is a map of cells, first to last."""
        raise NotImplementedError

    def to_map(self, output: Tensor) -> Tensor:
        """A module's output as a map N x C x h x w; what is no map comes back as it is."""
        return output

    def cascade(self) -> list[str]:
        """Names of the parts that hold parameters, from the head down."""
        raise NotImplementedError


class StagedClassifier(Classifier):
    """Convolutional stages, global average pooling, a linear head."""

    def __init__(
        self,
        stages: nn.Sequential,
        n_features: int,
        n_classes: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__(mean, std)
        self.stages = stages
        self.head = nn.Linear(n_features, n_classes)
        self.n_classes = n_classes

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        """Pooled features before the head, N x n_features."""
        features_NCHW = self.stages((pixels_NCHW - self.mean) / self.std)
        pooled: Tensor = features_NCHW.mean(dim=(2, 3))
        return pooled

    def map_layers(self) -> list[str]:
        return [f"stages.{name}" for name, _ in self.stages.named_children()]

    def cascade(self) -> list[str]:
        names = ["head", *reversed(self.map_layers())]
        return [name for name in names if any(True for _ in self.get_submodule(name).parameters())]
