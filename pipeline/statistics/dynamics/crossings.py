"""When accuracy is reached for good, and whether that of validation comes long after that of training.

A level is a share of all images (absolute accuracy) or a share of the curve's own best; the second is what
curves with different ends can be compared by. A curve has crossed at the first epoch from which it stays at
or above the level; an epoch that lies below by chance (less than two binomial standard errors) counts as
above. Its own best is the highest mean of three neighbouring epochs: a single epoch's record is luck.

Source: Power et al. 2022 (arXiv:2201.02177) for generalization that comes long after the fit.

Shape legend: S seeds, E epochs; seeds may have different numbers of epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.dynamics.over_seeds import mean_over_seeds

Of = Literal["accuracy", "best"]
LEVELS = (0.5, 0.9)
SLACK = 2.0  # binomial standard errors
_NEAR = 3  # epochs that a best is a mean of
LEAST_EPOCHS, LEAST_SHARE = 2, 0.1  # of a delay: epochs, and share of the run


@dataclass(frozen=True)
class Crossing:
    """When the seeds of a method reach a level."""

    of: Of
    level: float
    n_crossed: int
    n_seeds: int
    steps: Estimate | None  # None: a seed never gets there, or there is one seed


@dataclass(frozen=True)
class Delay:
    """How long after training accuracy validation accuracy reaches its level."""

    steps: Estimate
    is_delayed: bool  # certainly later, and by two epochs and a tenth of the run or more


def best_of(values_E: Float64Array) -> float:
    """Highest mean of three neighbouring epochs; of fewer the highest value."""
    if len(values_E) < _NEAR:
        return float(values_E.max())
    return float(np.convolve(values_E, np.ones(_NEAR) / _NEAR, mode="valid").max())


def first_crossing(values_E: Float64Array, level: float, n: int) -> int | None:
    """Epoch, from 0, from which the curve of shares of `n` images stays at or above `level`; None: never.

    >>> first_crossing(np.array([0.2, 0.95, 0.4, 0.9, 0.92]), 0.9, n=1000)
    3
    """
    slack = SLACK * math.sqrt(max(level * (1 - level), 0.0) / n)
    below = np.flatnonzero(values_E < level - slack)
    first = int(below[-1]) + 1 if len(below) else 0
    at = np.flatnonzero(values_E[first:] >= level)  # never only near it
    return first + int(at[0]) if len(at) else None


def find_crossings(curves: Sequence[Float64Array], *, n: int, n_steps: int) -> list[Crossing]:
    """Of every level, as accuracy and as a share of the own best, in steps.

    Args:
        curves: accuracy after each epoch, by seed.
        n: images behind each.
        n_steps: an epoch's.
    """
    found = []
    for of in ("accuracy", "best"):
        for level in LEVELS:
            epochs = [_crossing(curve, of, level, n) for curve in curves]
            known = [epoch for epoch in epochs if epoch is not None]
            steps = None
            if len(known) == len(curves):
                # within the epoch at whose end it shows
                steps = mean_over_seeds(n_steps * (np.array(known) + 1.0), beside=n_steps)
                steps = steps and steps.model_copy(update={"low": max(0.0, steps.low)})
            found.append(Crossing(of, level, len(known), len(curves), steps))
    return found


def find_delay(
    train: Sequence[Float64Array],
    val: Sequence[Float64Array],
    *,
    n_train: int,
    n_val: int,
    n_steps: int,
    level: float = 0.9,
) -> Delay | None:
    """From training's crossing of `level` of its own best to validation's, paired by seed.

    None where a seed has none: its curve falls again, or there is one seed.
    """
    behind = []
    for train_E, val_E in zip(train, val, strict=True):
        first, second = _crossing(train_E, "best", level, n_train), _crossing(val_E, "best", level, n_val)
        if first is None or second is None:
            return None
        behind.append(second - first)
    steps = mean_over_seeds(n_steps * np.array(behind, float), beside=n_steps)  # each is known to an epoch
    if steps is None:
        return None
    least = n_steps * max(LEAST_EPOCHS, LEAST_SHARE * float(np.mean([len(curve) for curve in val])))
    return Delay(steps, steps.low > 0 and steps.value >= least)


def _crossing(values_E: Float64Array, of: Of, level: float, n: int) -> int | None:
    return first_crossing(values_E, level if of == "accuracy" else level * best_of(values_E), n)
