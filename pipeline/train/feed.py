"""The training split in memory, and batches of it.

Shape legend: N images of the split, B images of a batch at hand, K classes, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.core.types import Int64Array, Split
from pipeline.models.predict import to_pixels
from pipeline.parallel.rank import World
from pipeline.settings.train import TrainSettings
from pipeline.train.options.augment import augment, draw, transforms_of
from pipeline.train.options.mixing import mix, mixers_of
from pipeline.train.plans import BatchEdit


@dataclass(frozen=True)
class Batch:
    """One process's part of a batch, on the device.

    Of a mixed image `labels_B` and the groups are those of its larger part.
    """

    pixels_BCHW: Tensor
    targets: Tensor  # classes B, or with mixing their shares B x K
    labels_B: Tensor
    groups_B: Tensor
    plan_groups_B: Tensor  # the groups that the objective sees


class Feed:
    """Draws batches; the pixels stay uint8 until they are needed."""

    def __init__(
        self,
        split: Split,
        plan_groups_N: Int64Array,
        settings: TrainSettings,
        n_classes: int,
        device: torch.device,
        edit: BatchEdit | None = None,
    ) -> None:
        self.settings = settings
        self.n_classes = n_classes
        self.device = device
        self._edit = edit
        # the whole split in memory: batches are then index reads, not file reads
        self.images = torch.from_numpy(np.array(split.images, order="C"))
        self.labels = torch.from_numpy(np.array(split.labels))
        self.groups = torch.from_numpy(np.array(split.groups))
        self.plan_groups = torch.from_numpy(np.array(plan_groups_N))
        self._transforms = transforms_of(settings)
        self._mixes = bool(mixers_of(settings))

    def batch(self, rows: Int64Array, seed: int, world: World) -> Batch:
        """This process's part of the batch that consists of `rows` of the split.

        Args:
            rows: of the whole batch.
            seed: of everything random in it.
        """
        places = torch.arange(len(rows))[slice_of(world.part(len(rows)))]
        if self._mixes:  # the image before the first one is its partner
            places = torch.cat([(places[:1] - 1) % len(rows), places])
        index = torch.from_numpy(rows)[places]
        draws = draw(len(rows), self.images.shape[1], self.settings, seed)
        images = self.images[index]
        if self._edit is not None:  # of the whole batch, whichever part of it is this process's
            images = torch.from_numpy(self._edit(rows, seed))[places]
        images = augment(images, draws.at(places), self._transforms)
        pixels = to_pixels(self._send(images), self.device)
        labels, groups, plan_groups = (
            self._send(values[index]) for values in (self.labels, self.groups, self.plan_groups)
        )
        if not self._mixes:
            return Batch(pixels, labels, labels, groups, plan_groups)
        mixed = mix(pixels, self.settings, seed)
        targets = mixed.targets(labels, self.n_classes)
        return Batch(
            mixed.pixels_BCHW, targets, mixed.main(labels), mixed.main(groups), mixed.main(plan_groups)
        )

    def plain(self, rows: Int64Array, size: int) -> Iterator[Tensor]:
        """Pixels of `rows` as they are, `size` images at a time; a single one at the end is left out.

        BatchNorm measures statistics on these, and one image has none.
        """
        for i in range(0, len(rows) - 1, size):
            images = self.images[torch.from_numpy(rows[i : i + size])]
            yield to_pixels(self._send(images), self.device)

    def _send(self, values: Tensor) -> Tensor:
        """To the device; a GPU goes on with the step before meanwhile."""
        if self.device.type == "cuda":
            values = values.pin_memory()
        return values.to(self.device, non_blocking=True)


def slice_of(places: range) -> slice:
    """A range as the slice of the same places."""
    return slice(places.start, places.stop)
