"""Learning-rate range test: a few steps at growing rates, and the rate that their losses suggest.

Shape legend: R rates, of which the first T were tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import TrainingError
from pipeline.core.types import Float64Array

LOWEST, HIGHEST, N_RATES = 1e-6, 10.0, 200
KEPT = 0.9  # of the moving average of losses, at each step
BLOWN_UP = 4.0  # times the least loss so far: the rates that follow are not tried
SAFETY = 10.0  # how far below the rate of the least loss


@dataclass(frozen=True)
class RangeTest:
    """What losses were met on the way up, and what follows."""

    rates_T: Float64Array
    losses_T: Float64Array  # smoothed, before the step at each rate
    suggested: float  # a tenth of the rate of the least loss, to two digits
    steepest: float  # where the loss falls fastest
    ended: bool  # whether the loss blew up before the last rate


def growing_rates() -> list[float]:
    """R rates, each the same factor larger than the one before."""
    return [float(rate) for rate in np.geomspace(LOWEST, HIGHEST, N_RATES)]


def range_test(losses: Iterable[float], rates: list[float]) -> RangeTest:
    """Read losses as they come, until they blow up.

    The suggestion is a tenth of the rate of the least smoothed loss. Where the loss falls fastest is a noisier
    number, which is only told.

    Args:
        losses: of a batch before each step; fewer than `rates` where the last is the first that is no number.

    Raises:
        TrainingError: the loss never falls.

    Source: Smith 2017 (arXiv:1506.01186); rates that grow by a factor, and the tenth: Howard and Gugger 2020
        (arXiv:2002.04688).
    """
    smoothed: list[float] = []
    average, ended = 0.0, True
    for step, loss in enumerate(losses):
        average = KEPT * average + (1 - KEPT) * loss
        smoothed.append(average / (1 - KEPT ** (step + 1)))
        if smoothed[-1] > BLOWN_UP * min(smoothed):
            break
    else:
        ended = len(smoothed) < len(rates)
    losses_T, rates_T = np.array(smoothed), np.array(rates[: len(smoothed)])
    least = int(losses_T.argmin()) if smoothed else 0
    if least == 0:
        raise TrainingError(
            f"the loss falls at no rate from {LOWEST:g} up, so that none can be suggested. Look at the labels "
            "and at train.optimizer, train.loss and train.weight_decay."
        )
    falls_T = -np.gradient(losses_T, np.log(rates_T))
    return RangeTest(
        rates_T, losses_T, two_digits(rates_T[least] / SAFETY), float(rates_T[falls_T.argmax()]), ended
    )


def two_digits(value: float) -> float:
    """As people write a rate."""
    return round(value, 1 - math.floor(math.log10(value)))
