"""Whether a group's accuracy falls again, and after which epoch training would better have stopped.

The fall is the mean accuracy of three epochs around the best one minus that of the last three, paired by
seed. Which epoch is best for a seed the other seeds say: the highest of many epochs of its own curve would
be above the last ones by luck alone. Intervals allow for the number of groups.

Shape legend: S seeds, E epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.dynamics.over_seeds import mean_over_seeds

MIN_SEEDS = 3
_NEAR = 3


@dataclass(frozen=True)
class Fall:
    epoch: int  # the best one of the seeds' mean, from 0
    size: Estimate  # from there to the end
    is_clear: bool


def find_fall(curves: Sequence[Float64Array], *, n_groups: int = 1, least: float = 0.0) -> Fall | None:
    """Of one group; None with fewer than three seeds or six epochs.

    Args:
        curves: validation accuracy after each epoch, by seed; what goes beyond the shortest is left out.
        n_groups: that are asked.
        least: fall that matters.
    """
    n_epochs = min((len(curve) for curve in curves), default=0)
    if len(curves) < MIN_SEEDS or n_epochs < 2 * _NEAR:
        return None
    near_SE = np.stack([np.convolve(c[:n_epochs], np.ones(_NEAR) / _NEAR, "valid") for c in curves])
    fall_S = np.empty(len(curves))
    for seed, near_E in enumerate(near_SE):
        best = int(np.delete(near_SE, seed, axis=0).mean(axis=0).argmax())
        fall_S[seed] = near_E[best] - near_E[-1]
    size = mean_over_seeds(fall_S, confidence=1 - 0.05 / n_groups)
    assert size is not None
    epoch = int(near_SE.mean(axis=0).argmax()) + _NEAR // 2
    return Fall(epoch, size, size.low > 0 and size.value >= least)
