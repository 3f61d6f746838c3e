"""What is fitted to curves: power laws, rank correlations, crossings; with intervals over seeds or networks.

Shape legend: S seeds, X sizes, T times, P networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf, t_isf

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


def fit_power_law(x_X: Float64Array, error_X: Float64Array) -> PowerLaw:
    """Huber's loss of the logarithms, searched on finer and finer grids of exponent and floor.

    Source: Hestness et al. 2017 (arXiv:1712.00409) for the law; Hoffmann et al. 2022 (arXiv:2203.15556),
    section 3.3, for the loss.

    >>> x = np.array([1, 2, 4, 8, 16.0]); found = fit_power_law(x, 0.4 * x**-0.5 + 0.05)
    >>> round(found.exponent, 2), round(found.floor, 2)
    (0.5, 0.05)
    """
    log_x_X, target_X = np.log(x_X / x_X[0]), np.log(np.maximum(error_X, 1e-6))
    exponents, floors = np.linspace(-1, 3, 81), np.geomspace(1e-4, 30, 41)  # floors: in what falls, at x[0]
    for _ in range(4):
        exponent, floor, level = _best(log_x_X, target_X, exponents, floors)
        by, ratio = exponents[1] - exponents[0], floors[1] / floors[0]
        # exponent and floor lie along a valley: two cells on
        exponents = np.clip(np.linspace(exponent - 2 * by, exponent + 2 * by, 21), -1, 3)
        floors = floor * np.geomspace(ratio**-2, ratio**2, 21)
    scale = float(np.exp(level))
    return PowerLaw(scale * float(x_X[0]) ** exponent, exponent, scale * floor)


def _best(
    log_x_X: Float64Array, target_X: Float64Array, exponents: Float64Array, floors: Float64Array
) -> tuple[float, float, float]:
    """Exponent and floor of the smallest loss on a grid, and the level that goes with them."""
    shape_AFX = np.log(np.exp(-exponents[:, None, None] * log_x_X) + floors[:, None])
    rest_AFX = target_X - shape_AFX
    level_AF1 = np.median(rest_AFX, axis=2, keepdims=True)
    for _ in range(5):  # Huber's mean by reweighting
        weight_AFX = np.minimum(1, HUBER / np.maximum(np.abs(rest_AFX - level_AF1), 1e-12))
        level_AF1 = (weight_AFX * rest_AFX).sum(axis=2, keepdims=True) / weight_AFX.sum(axis=2, keepdims=True)
    size_AFX = np.abs(rest_AFX - level_AF1)
    loss_AFX = np.where(size_AFX <= HUBER, size_AFX**2 / 2, HUBER * (size_AFX - HUBER / 2))
    a, f = np.unravel_index(loss_AFX.sum(axis=2).argmin(), level_AF1.shape[:2])
    return float(exponents[a]), float(floors[f]), float(level_AF1[a, f, 0])


@dataclass(frozen=True)
class Extrapolation:
    law: PowerLaw
    exponent: Estimate
    predicted: Estimate  # mean error of as many seeds at the held-out size
    draws: list[PowerLaw]


def extrapolate(
    x_X: Float64Array,
    errors_SX: Float64Array,
    x: float,
    *,
    n_images: int,
    seed: int = 0,
    n_draws: int = N_DRAWS,
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
    for _ in range(n_draws):
        rows_SX = rng.integers(n_seeds, size=errors_SX.shape)  # other networks at every size
        center_X = errors_SX.mean(axis=0)
        drawn_X = np.take_along_axis(errors_SX, rows_SX, axis=0).mean(axis=0)
        own = fit_power_law(x_X, np.maximum(center_X + widen * (drawn_X - center_X), 1e-6))
        draws.append(own)
        expected = float(np.clip(own.at(x), 0, 1))
        noise = widen * float(rng.choice(relative_S, n_seeds).mean())
        images = np.sqrt(expected * (1 - expected) / n_images / n_seeds) * rng.normal()
        seen.append(expected * (1 + noise) + images)
    low, high = np.quantile([d.exponent for d in draws], [0.025, 0.975])
    exponent = Estimate(value=law.exponent, low=low, high=high, n=len(x_X))
    value = float(np.clip(law.at(x), 0, 1))
    student = float(t_isf(0.025, n_seeds - 1) / normal_isf(0.025))  # few seeds know their own spread badly
    low, high = value + student * (np.quantile(seen, [0.025, 0.975]) - value)
    predicted = Estimate(
        value=value, low=max(0.0, min(low, value)), high=min(1.0, max(high, value)), n=n_seeds
    )
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
    draws = [statistic(rng.integers(n, size=n)) for _ in range(5 * N_DRAWS)]
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
