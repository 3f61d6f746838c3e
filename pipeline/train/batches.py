"""Which images form a batch, and what is done to their pixels.

Everything random is a pure function of (seed, epoch, step), so a run that was killed and resumed
at any step draws exactly what the uninterrupted run would have drawn; no generator state is saved.

Shape legend: N images, B batch, C channels, H height, W width.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array

_ORDER, _STEP = 0, 1  # separate random streams


def shuffled_order(n: int, *, seed: int, epoch: int) -> Int64Array:
    """Every image once, in random order."""
    return np.random.default_rng([seed, epoch, _ORDER]).permutation(n).astype(np.int64)


def group_balanced_order(groups_N: Int64Array, *, seed: int, epoch: int) -> Int64Array:
    """N draws with replacement: first a group (uniformly, of those with images), then a member."""
    if len(groups_N) == 0:
        raise InputError("there are no training images to sample from")
    rng = np.random.default_rng([seed, epoch, _ORDER])
    members = [np.flatnonzero(groups_N == g) for g in np.unique(groups_N)]
    which = rng.integers(len(members), size=len(groups_N))
    order = np.empty(len(groups_N), np.int64)
    for k, rows in enumerate(members):
        slots = np.flatnonzero(which == k)
        order[slots] = rows[rng.integers(len(rows), size=len(slots))]
    return order


def step_seed(*, seed: int, epoch: int, step: int) -> int:
    """A 63-bit seed for everything random inside one step (augmentation, dropout)."""
    state = np.random.SeedSequence([seed, epoch, _STEP, step]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


def augment_batch(pixels_BCHW: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Random horizontal flips and shifts of a batch of float pixels.

    Args:
        kind: none, flip, crop (reflect-pad by an eighth of the side, crop back) or flip_crop.
    """
    if "crop" in kind:
        pixels_BCHW = _random_shift(pixels_BCHW, generator)
    if "flip" in kind:
        flip_B = torch.rand(len(pixels_BCHW), generator=generator) < 0.5
        flip_B111 = flip_B.to(pixels_BCHW.device).view(-1, 1, 1, 1)
        pixels_BCHW = torch.where(flip_B111, pixels_BCHW.flip(3), pixels_BCHW)
    return pixels_BCHW


def _random_shift(pixels_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    n, _, height, width = pixels_BCHW.shape
    pad = max(1, height // 8)
    padded = F.pad(pixels_BCHW, (pad, pad, pad, pad), mode="reflect")
    shifts_B2 = torch.randint(0, 2 * pad + 1, (n, 2), generator=generator)
    out = torch.empty_like(pixels_BCHW)
    # one slice copy per distinct shift: cheaper than a gather with a full index grid
    for dy, dx in torch.unique(shifts_B2, dim=0).tolist():
        rows = torch.nonzero((shifts_B2[:, 0] == dy) & (shifts_B2[:, 1] == dx)).flatten()
        rows = rows.to(pixels_BCHW.device)
        out[rows] = padded[rows, :, dy : dy + height, dx : dx + width]
    return out
