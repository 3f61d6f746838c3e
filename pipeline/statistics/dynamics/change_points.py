"""Epochs at which a learning curve jumps: phase transitions.

A smooth curve, a + b exp(-t / tau), is fitted; then binary segmentation asks whether a curve with other a
and b on either side of some epoch fits better by more than a penalty. The noise of an epoch is binomial in
the images behind it, or what neighbouring epochs differ by where that is more. A jump must also be one:
between the two epochs before it and the two after lie 5 points and three times the noise of these means.

The penalty is the 99 % point of the gain on smooth curves with binomial noise (E = 8 to 100 epochs, tau from
half an epoch to half of the run, 2,000 curves each), a straight line in log E above all of them.
of smooth curves of 10, 30 and 60 epochs 99.8 to 99.9 % have
none; of jumps by 30 points 99.8 % (20 epochs) and all (40 epochs) are found within an epoch.

Source: Truong, Oudre and Vayatis 2020 (ruptures; arXiv:1801.00718) for binary segmentation.

Shape legend: E epochs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Float64Array

MIN_EPOCHS = 8  # fewer have no curve to tell a jump from
LEAST = 0.05  # of a jump
_PENALTY = (4.0, 3.0)  # at one epoch, and per unit of log E
_SIGMAS = 3.0
_SIDE = 3  # epochs on either side of a jump, at least
_TAUS = 24


@dataclass(frozen=True)
class Change:
    epoch: int  # the first after the jump, from 0
    size: float  # of the jump in accuracy, negative where it falls


def find_changes(values_E: Float64Array, n: int) -> list[Change] | None:
    """The jumps of a curve of shares of `n` images, in order; None of fewer than eight epochs."""
    if len(values_E) < MIN_EPOCHS:
        return None
    smooth = _Smooth.fit(values_E, n)
    found = []
    for epoch in _split(smooth, penalty=penalty_of(len(values_E))):
        before, after = values_E[max(0, epoch - 2) : epoch], values_E[epoch : epoch + 2]
        size = float(after.mean() - before.mean())
        noise = float(smooth.sd_E[epoch]) * math.sqrt(1 / len(before) + 1 / len(after))
        if abs(size) >= max(LEAST, _SIGMAS * noise):
            found.append(Change(epoch, size))
    return found


def penalty_of(n_epochs: int) -> float:
    """What a split must gain, in squared standard errors."""
    base, slope = _PENALTY
    return base + slope * math.log(n_epochs)


@dataclass(frozen=True)
class _Smooth:
    """A curve with its noise, and the shape of the smooth curve nearest to it."""

    values_E: Float64Array
    shape_E: Float64Array  # exp(-t / tau)
    sd_E: Float64Array

    @classmethod
    def fit(cls, values_E: Float64Array, n: int) -> _Smooth:
        shape_E, fitted_E = _saturation(values_E, np.geomspace(0.3, 3 * len(values_E), _TAUS))
        for _ in range(2):  # nearer: of many images a tau that is 10 % off shows
            tau = -1 / math.log(float(shape_E[1]))
            shape_E, fitted_E = _saturation(values_E, tau * np.geomspace(0.7, 1.4, _TAUS))
        share_E = np.clip(fitted_E, 1 / (n + 2), 1 - 1 / (n + 2))
        bends = np.abs(np.diff(values_E, 2))  # of independent noise: sqrt(6) of it; a jump makes two large
        noise = float(np.median(bends)) / (0.6745 * math.sqrt(6))
        return cls(values_E, shape_E, np.sqrt(np.maximum(share_E * (1 - share_E) / n, noise**2)))


def _saturation(values_E: Float64Array, taus_T: Float64Array) -> tuple[Float64Array, Float64Array]:
    """The shape and the curve of least squares among those of some tau."""
    shapes_TE = np.exp(-np.arange(len(values_E)) / taus_T[:, None])
    centered_TE = shapes_TE - shapes_TE.mean(axis=1, keepdims=True)
    rest_E = values_E - values_E.mean()
    b_T = centered_TE @ rest_E / np.maximum((centered_TE**2).sum(axis=1), 1e-12)
    fitted_TE = values_E.mean() + b_T[:, None] * centered_TE
    nearest = int(((values_E - fitted_TE) ** 2).sum(axis=1).argmin())
    return shapes_TE[nearest], fitted_TE[nearest]


def _split(smooth: _Smooth, penalty: float) -> list[int]:
    """First epochs of the segments after the first."""
    n, left = len(smooth.values_E), _Left.of(smooth)
    single = max(left(0, n) - left(0, e) - left(e, n) for e in range(_SIDE, n - _SIDE + 1))
    if single <= penalty:  # what the search below asks first: most curves need no library
        return []
    import ruptures  # late: it takes seconds to load

    search = ruptures.Binseg(custom_cost=_cost_of(left), jump=1).fit(smooth.values_E)
    return [int(epoch) for epoch in search.predict(pen=penalty)[:-1]]


@dataclass(frozen=True)
class _Left:
    """What is left of a stretch of the curve beside its own a and b, in squared standard errors.

    The library's linear cost takes a stretch over which the shape is level, as late ones are, for free.
    """

    sums: Float64Array  # of the terms up to each epoch

    @classmethod
    def of(cls, smooth: _Smooth) -> _Left:
        weight_E, x_E, y_E = 1 / smooth.sd_E**2, smooth.shape_E, smooth.values_E
        terms = np.stack([np.ones_like(x_E), x_E, y_E, x_E * x_E, x_E * y_E, y_E * y_E]) * weight_E
        return cls(np.concatenate([np.zeros((6, 1)), terms.cumsum(axis=1)], axis=1))

    def __call__(self, start: int, end: int) -> float:
        w, x, y, xx, xy, yy = (self.sums[:, end] - self.sums[:, start]).tolist()
        left, spread = yy - y * y / w, xx - x * x / w
        is_level = spread <= 1e-9 * w
        return float(max(0.0, left if is_level else left - (xy - x * y / w) ** 2 / spread))


def _cost_of(left: _Left) -> object:
    """The same for the library."""
    from ruptures.base import BaseCost

    class Cost(BaseCost):  # type: ignore[misc, unused-ignore]
        model, min_size = "saturation", _SIDE

        def fit(self, signal: Float64Array) -> Cost:
            self.signal = signal
            return self

        def error(self, start: int, end: int) -> float:
            return left(start, end)

    return Cost()
