"""What is fitted to curves: power laws, rank correlations, crossings; with intervals over seeds or networks.

Shape legend: S seeds, X sizes, T times, P networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate

N_DRAWS = 200
HUBER = 0.02  # of residuals of logarithms: beyond 2 % they count linearly


@dataclass(frozen=True)
class PowerLaw:
    """error = scale x^-exponent + floor."""

    scale: float
    exponent: float
    floor: float

    def at(self, x: Float64Array | float) -> Float64Array:
        return np.asarray(self.scale * np.asarray(x, float) ** -self.exponent + self.floor)


def fit_power_law(x_X: Float64Array, error_X: Float64Array, start: PowerLaw | None = None) -> PowerLaw:
    """Huber's loss of the logarithms, from `start`, or from several places.

    Source: Hestness et al. 2017 (arXiv:1712.00409) for the law; Hoffmann et al. 2022 (arXiv:2203.15556),
    section 3.3, for the loss.

    >>> x = np.array([1, 2, 4, 8, 16.0]); found = fit_power_law(x, 0.4 * x**-0.5 + 0.05)
    >>> round(found.exponent, 2), round(found.floor, 2)
    (0.5, 0.05)
    """
    from scipy.optimize import least_squares  # late: it takes a second to load

    log_x = np.log(x_X / x_X[0])
    target_X = np.log(np.maximum(error_X, 1e-6))

    def residuals(theta: Float64Array) -> Float64Array:
        terms = np.stack([theta[0] - theta[1] * log_x, np.full_like(log_x, theta[2])])
        found: Float64Array = np.logaddexp(*terms) - target_X
        return found

    starts = [(target_X[0], a, target_X[-1] + f) for a in (0.1, 0.5, 1.0) for f in (-0.1, -1, -4)]
    if start is not None:
        first = np.log(start.scale) - start.exponent * np.log(x_X[0])
        inside = np.clip(start.exponent, -0.99, 3.99), max(np.log(max(start.floor, 1e-8)), -18)
        starts = [(first, *inside)]
    bounds = ([-np.inf, -1.0, -20.0], [np.inf, 4.0, np.inf])
    fits = [least_squares(residuals, s, loss="huber", f_scale=HUBER, bounds=bounds) for s in starts]
    best = min(fits, key=lambda fit: fit.cost).x
    return PowerLaw(float(np.exp(best[0]) * x_X[0] ** best[1]), float(best[1]), float(np.exp(best[2])))


@dataclass(frozen=True)
class Extrapolation:
    law: PowerLaw
    exponent: Estimate
    predicted: Estimate  # mean error of as many seeds at the held-out size
    draws: list[PowerLaw]


def extrapolate(
    x_X: Float64Array, errors_SX: Float64Array, x: float, *, n_images: int, seed: int = 0
) -> Extrapolation:
    """Fit the law and say what it expects at `x`, redrawing seeds; the interval is one of prediction.

    What is observed at `x` is itself a mean over as many seeds: the relative noise of the largest fitted
    size, which is redrawn, too, and the chance in `n_images` test images are added to each draw.
    """
    rng = np.random.default_rng(seed)
    n_seeds = len(errors_SX)
    law = fit_power_law(x_X, errors_SX.mean(axis=0))
    draws, seen = [], []
    relative_S = errors_SX[:, -1] / errors_SX[:, -1].mean() - 1
    widen = np.sqrt(n_seeds / (n_seeds - 1))  # a sample's deviations are too small by this
    for _ in range(N_DRAWS):
        rows_SX = rng.integers(n_seeds, size=errors_SX.shape)  # other networks at every size
        center_X = errors_SX.mean(axis=0)
        drawn_X = np.take_along_axis(errors_SX, rows_SX, axis=0).mean(axis=0)
        own = fit_power_law(x_X, np.maximum(center_X + widen * (drawn_X - center_X), 1e-6), law)
        draws.append(own)
        expected = float(np.clip(own.at(x), 0, 1))
        noise = widen * float(rng.choice(relative_S, n_seeds).mean())
        images = np.sqrt(expected * (1 - expected) / n_images / n_seeds) * rng.normal()
        seen.append(expected * (1 + noise) + images)
    low, high = np.quantile([d.exponent for d in draws], [0.025, 0.975])
    exponent = Estimate(value=law.exponent, low=low, high=high, n=len(x_X))
    low, high = np.quantile(seen, [0.025, 0.975])
    value = float(np.clip(law.at(x), 0, 1))
    predicted = Estimate(value=value, low=min(low, value), high=max(high, value), n=n_seeds)
    return Extrapolation(law, exponent, predicted, draws)


def rank_correlation(first_P: Float64Array, second_P: Float64Array) -> float:
    """Spearman's; 0 where one of them is constant.

    >>> rank_correlation(np.array([1.0, 2, 3]), np.array([1.0, 4, 9]))
    1.0
    """
    from scipy.stats import rankdata

    a, b = rankdata(first_P), rankdata(second_P)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 0 else 0.0


def redrawn(statistic: Callable[[np.ndarray], float], n: int, *, seed: int = 0) -> Estimate:
    """A statistic of n rows with its percentile bootstrap interval over them.

    Args:
        statistic: of row numbers, which may repeat.
    """
    rng = np.random.default_rng(seed)
    value = statistic(np.arange(n))
    draws = [statistic(rng.integers(n, size=n)) for _ in range(10 * N_DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n)


def first_time(times_T: Float64Array, values_T: Float64Array, level: float) -> float:
    """From when on a curve stays at or above `level`, on a logarithmic scale between two times; inf: never.

    >>> first_time(np.array([1.0, 10, 100]), np.array([0.0, 0.0, 1.0]), 0.5).__round__(3)
    31.623
    """
    below = np.flatnonzero(values_T < level)
    if not len(below):
        return float(times_T[0])
    last = int(below[-1])
    if last + 1 == len(times_T):
        return float("inf")
    share = (level - values_T[last]) / (values_T[last + 1] - values_T[last])
    log = np.log(times_T[last]) + share * np.log(times_T[last + 1] / times_T[last])
    return float(np.exp(log))
