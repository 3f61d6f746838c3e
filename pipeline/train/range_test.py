"""Learning-rate range test: short trainings at growing rates, and the rate that their losses suggest.

Shape legend: R rates, of which the first T were tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import TrainingError
from pipeline.core.types import Float64Array
from pipeline.settings.train import TrainSettings

N_RATES = 180  # over six decades
KEPT = 0.9  # of the moving average that says during a training whether its loss blew up ...
BLOWN_UP = 4.0  # ... to so many times its least
WIDTH = 6.0  # steps; standard deviation of the window that losses are smoothed with afterwards
NEAR = 0.1  # of the loss's fall: what counts as still near the least
SAFETY = 1.5  # how far below the edge: momentum and schedules stay longer at a rate than the test does


@dataclass(frozen=True)
class Tried:
    """What one training met on the way up."""

    rates_T: Float64Array
    losses_T: Float64Array  # smoothed, before the step at each rate
    edge: float  # the highest rate before the loss leaves its least
    blew_up: bool  # before the last rate


def growing_rates(settings: TrainSettings) -> list[float]:
    """R rates, each the same factor larger than the one before."""
    highest = 10.0 if settings.optimizer == "sgd" else 1.0
    return [float(rate) for rate in np.geomspace(highest / 1e6, highest, N_RATES)]


def try_rates(losses: Iterable[float], rates: Sequence[float]) -> Tried:
    """Read a training's losses as they come, until they blow up.

    Args:
        losses: of a batch before each step; it ends before `rates` where the next is no number.

    Raises:
        TrainingError: the loss never falls.

    Source: Smith 2017 (arXiv:1506.01186).
    """
    from scipy.ndimage import gaussian_filter1d  # late: people wait for the command line

    met = _until_blown_up(losses)
    # a loss far off would reach back through the window to rates that were good
    capped_T = np.minimum(np.array(met), BLOWN_UP * met[0]) if met else np.zeros(1)
    losses_T: Float64Array = gaussian_filter1d(capped_T, WIDTH, mode="nearest")
    least = int(losses_T.argmin())
    if least == 0:
        raise TrainingError(
            f"the loss falls at no rate from {rates[0]:g} up, so that none can be suggested. Look at the "
            "labels, and at train.optimizer, train.loss and train.weight_decay."
        )
    left = losses_T[least:] > losses_T[least] + NEAR * (losses_T[0] - losses_T[least])
    last = least + int(left.argmax()) - 1 if left.any() else len(met) - 1
    return Tried(np.array(rates[: len(met)]), losses_T, float(rates[last]), len(met) < len(rates))


def suggest_rate(tried: Sequence[Tried]) -> float:
    """Two thirds of the median edge, to two digits."""
    return float(f"{np.median([one.edge for one in tried]) / SAFETY:.2g}")


def _until_blown_up(losses: Iterable[float]) -> list[float]:
    met: list[float] = []
    average, least = 0.0, np.inf
    for step, loss in enumerate(losses, start=1):
        met.append(loss)
        average = KEPT * average + (1 - KEPT) * loss
        now = average / (1 - KEPT**step)
        least = min(least, now)
        if now > max(met[0], BLOWN_UP * least):
            break
    return met
