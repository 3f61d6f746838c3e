"""Which images form a batch, in which order.

Everything random is a pure function of (seed, epoch, step), so a run that was killed and resumed
at any step draws exactly what the uninterrupted run would have drawn; no generator state is saved.

Shape legend: N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array
from pipeline.parallel.rank import current_world

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


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Optimizer steps in one pass over n images."""
    # a last batch of one image for a process would break batch normalisation: it is dropped
    full, rest = divmod(n, batch_size)
    return full + (rest >= 2 * current_world().size)
