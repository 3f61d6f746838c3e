"""Which training images are featurized and which test images are audited.

Shape legend: N images, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.models.predict import to_pixels
from pipeline.statistics.sampling import choose_by_group, order_of_group

RARE_SHARE = 0.5  # of the training budget, handed out in equal parts before the rest goes by size


@dataclass(frozen=True)
class Examples:
    """Images by row of an array that may be a memory map: pixels are read batch by batch."""

    images: UInt8Array  # of the whole split, H W 3 each
    rows: Int64Array  # n, positions in `images`
    labels: Int64Array  # n
    groups: Int64Array  # n
    ids: Int64Array  # n

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, start: int, stop: int, device: str) -> tuple[Tensor, Tensor]:
        """Pixels B x 3 x H x W in [0, 1] and labels B."""
        pixels = to_pixels(self.images[self.rows[start:stop]], device).contiguous()
        return pixels, torch.from_numpy(self.labels[start:stop]).to(device)


def select(split: Split, rows: Int64Array) -> Examples:
    """The given rows of a split, no pixel read yet."""
    return Examples(split.images, rows, split.labels[rows], split.groups[rows], split.ids[rows])


def choose_targets(test: Split, per_group: int | None, seed: int) -> Int64Array:
    """Sorted rows of `test` to audit: up to `per_group` random ones of each group; None = all rows.

    Chosen within a group regardless of label, prediction and failure, so that a group's mean over
    its targets is an unbiased estimate of its mean over the test split. A larger `per_group`
    keeps the rows of a smaller one.
    """
    if per_group is None:
        return np.arange(len(test))
    return choose_by_group(test.groups, per_group, seed)


def choose_listed(groups: Int64Array, budget: int, seed: int) -> Int64Array:
    """Sorted positions of at most `budget` targets to list one by one, as evenly over groups as can be.

    With more groups than budget, groups drawn at random have one each.
    """
    n = len(groups)
    if n <= budget:
        return np.arange(n)
    names, sizes = np.unique(groups, return_counts=True)
    counts = _equal_parts(sizes, budget)
    open_groups = np.flatnonzero(counts < sizes)
    order = np.random.default_rng([seed, len(names)]).permutation(len(open_groups))
    counts[open_groups[order[: budget - int(counts.sum())]]] += 1  # fewer left than open groups
    drawn = [order_of_group(groups, group, seed)[:count] for group, count in zip(names, counts, strict=True)]
    return np.sort(np.concatenate(drawn))


def choose_train(groups: Int64Array, max_train: int | None, seed: int) -> Int64Array:
    """Sorted rows of the training split to featurize, at most `max_train`.

    Half of the budget is handed out in equal parts over the groups, a group smaller than its part
    entering whole; the rest goes by what is left of each. Rare groups, which matter most to the
    audit, are thus kept whole or nearly so.
    """
    n = len(groups)
    if max_train is None or n <= max_train:
        return np.arange(n)
    names, sizes = np.unique(groups, return_counts=True)
    quota = _equal_parts(sizes, int(max_train * RARE_SHARE))
    quota = quota + _proportional(sizes - quota, max_train - int(quota.sum()))
    chosen = [order_of_group(groups, group, seed)[:count] for group, count in zip(names, quota, strict=True)]
    return np.sort(np.concatenate(chosen))


def _equal_parts(sizes: Int64Array, budget: int) -> Int64Array:
    """Counts per group, none above its size, as equal as the sizes allow, summing to <= budget."""
    counts = np.zeros_like(sizes)
    open_groups = np.arange(len(sizes))
    while len(open_groups) and budget >= len(open_groups):
        step = min(budget // len(open_groups), int((sizes - counts)[open_groups].min()))
        counts[open_groups] += step
        budget -= step * len(open_groups)
        open_groups = np.flatnonzero(counts < sizes)
    return counts


def _proportional(sizes: Int64Array, budget: int) -> Int64Array:
    """Counts per group in proportion to `sizes`, summing to `budget` (largest remainders)."""
    exact = sizes * (budget / sizes.sum())
    counts = np.floor(exact).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")[: budget - int(counts.sum())]
    counts[largest] += 1
    counted: Int64Array = counts
    return counted
