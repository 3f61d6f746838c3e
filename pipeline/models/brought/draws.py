"""Where strangers' code draws at random: from a seed of ours, and without a trace outside."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Inside, what torch, NumPy and Python draw starts from `seed`; outside nothing was drawn."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002  # strangers' code draws from it
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
