"""What is done to the pixels of a batch: on uint8, on the CPU, before they go to the device.

What is drawn for an image depends on the seed of the step and on the image's place in the batch, so a
process that holds a part of a batch does to its images what one process does to them.

Shape legend: N images of the whole batch, B images at hand, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pipeline.settings.train import TrainSettings

if TYPE_CHECKING:
    from torchvision.transforms import v2  # takes longer to load than torch

SEEDS = 2**62


@dataclass(frozen=True)
class Draws:
    """What happens to each image; None where nothing of the kind does."""

    shifts_B2: Tensor | None  # corner of the crop in the padded image, y and x
    flip_B: Tensor | None
    seeds_B: Tensor | None  # of the image's own transforms

    def at(self, places: Tensor) -> Draws:
        """The draws of the images at these places of the batch."""
        parts = (None if d is None else d[places] for d in (self.shifts_B2, self.flip_B, self.seeds_B))
        return Draws(*parts)


def draw(n: int, side: int, settings: TrainSettings, seed: int) -> Draws:
    """Draw for a whole batch of `n` images with `side` rows."""
    generator = torch.Generator().manual_seed(seed)
    shifts = flip = seeds = None
    if "crop" in settings.augment:
        shifts = torch.randint(0, 2 * _padding(side) + 1, (n, 2), generator=generator)
    if "flip" in settings.augment:
        flip = torch.rand(n, generator=generator) < 0.5
    if transforms_of(settings):
        seeds = torch.randint(0, SEEDS, (n,), generator=generator)
    return Draws(shifts, flip, seeds)


def augment(images_BHWC: Tensor, draws: Draws, transforms: list[v2.Transform]) -> Tensor:
    """Shift, mirror, then each image's own transforms; uint8 in and out, the input is not changed.

    A shift pads by an eighth of the side with the mirrored border and crops back.
    """
    if draws.shifts_B2 is not None:
        images_BHWC = _shift(images_BHWC, draws.shifts_B2)
    if draws.flip_B is not None:
        images_BHWC = torch.where(draws.flip_B.view(-1, 1, 1, 1), images_BHWC.flip(2), images_BHWC)
    if draws.seeds_B is not None:
        images_BHWC = _transform_each(images_BHWC, draws.seeds_B.tolist(), transforms)
    return images_BHWC


def transforms_of(settings: TrainSettings) -> list[v2.Transform]:
    """The transforms that every image draws for itself.

    Source: Müller and Hutter 2021 (arXiv:2103.10158); Cubuk et al. 2020 (arXiv:1909.13719); the
        proportions of the color jitter by Chen et al. 2020 (arXiv:2002.05709).
    """
    if settings.auto_augment == "none" and settings.color_jitter == 0:
        return []
    from torchvision.transforms import v2

    transforms: list[v2.Transform] = []
    if settings.auto_augment != "none":
        transforms.append(v2.TrivialAugmentWide() if settings.auto_augment == "trivial" else v2.RandAugment())
    if settings.color_jitter > 0:
        s = settings.color_jitter
        transforms.append(v2.ColorJitter(0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s))
    return transforms


def _padding(side: int) -> int:
    return max(1, side // 8)


def _shift(images_BHWC: Tensor, shifts_B2: Tensor) -> Tensor:
    _, height, width, _ = images_BHWC.shape
    pad = _padding(height)
    # NumPy: torch does not mirror-pad uint8, and small copies cost less without its dispatch
    padded = np.pad(images_BHWC.numpy(), ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    out = np.empty(images_BHWC.shape, np.uint8)
    for i, (y, x) in enumerate(shifts_B2.tolist()):
        out[i] = padded[i, y : y + height, x : x + width]
    return torch.from_numpy(out)


def _transform_each(images_BHWC: Tensor, seeds_B: list[int], transforms: list[v2.Transform]) -> Tensor:
    out = torch.empty_like(images_BHWC)
    with torch.random.fork_rng(devices=[]):
        for i, seed in enumerate(seeds_B):
            torch.default_generator.manual_seed(seed)
            image_CHW = images_BHWC[i].permute(2, 0, 1)
            for transform in transforms:
                image_CHW = transform(image_CHW)
            out[i] = image_CHW.permute(1, 2, 0)
    return out
