"""Mixup and CutMix: pairs of images become one, and so do their labels.

Torchvision pairs every image with the one before it in the batch and draws one share per batch. Given
the image before its first one, a process that holds a part of a batch therefore mixes like one process.

Shape legend: B images, K classes, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.settings.train import TrainSettings

if TYPE_CHECKING:
    from torchvision.transforms import v2  # takes longer to load than torch


@dataclass(frozen=True)
class Mixed:
    """Mixed images, and how much of which image is in each of them."""

    pixels_BCHW: Tensor
    shares_BB: Tensor  # B x (B + 1): of the images given

    def targets(self, labels: Tensor, n_classes: int) -> Tensor:
        """Shares of the classes, B x K; `labels` are those of the images given."""
        one_hot = F.one_hot(labels, n_classes).to(self.shares_BB.dtype)
        return self.shares_BB @ one_hot

    def main(self, values: Tensor) -> Tensor:
        """Of the values of the images given, for each mixed image the one of its larger part.

        That is the group a mixed image counts for: shares are as likely above a half as below, so
        every image is the larger part about once an epoch.
        """
        return values[self.shares_BB.argmax(1)]


def mixers_of(settings: TrainSettings) -> list[type[v2.Transform]]:
    """The kinds of mixing that are switched on."""
    if settings.mixup == settings.cutmix == 0:
        return []
    from torchvision.transforms import v2

    return [kind for kind, alpha in ((v2.MixUp, settings.mixup), (v2.CutMix, settings.cutmix)) if alpha > 0]


def mix(pixels: Tensor, settings: TrainSettings, seed: int) -> Mixed:
    """Mix B images; `pixels` are B + 1 float images, the first being the partner of the second.

    Source: Zhang et al. 2018 (arXiv:1710.09412); Yun et al. 2019 (arXiv:1905.04899).
    """
    from torchvision.transforms import v2

    kinds = mixers_of(settings)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        kind = kinds[int(torch.randint(len(kinds), ()))]
        alpha = settings.mixup if kind is v2.MixUp else settings.cutmix
        # torchvision mixes labels; given places instead it tells the shares of each pair
        places = torch.arange(len(pixels), device=pixels.device)
        mixed, shares = kind(alpha=alpha, num_classes=len(pixels))(pixels, places)
    return Mixed(mixed[1:].contiguous(memory_format=torch.channels_last), shares[1:])
