"""Paired changes: what new seeds add to the interval that new images alone deserve, and the p-value of both.

Shape legend: S seeds, N images, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.intervals import (
    MOST_POOLED,
    CorrectArray,
    MeanVariance,
    clip_difference,
    mean_variance,
)
from pipeline.statistics.picked import MIN_SEEDS, picked_quantile
from pipeline.statistics.seed_pool import pool_seeds, prediction_variance

_ALPHA = 0.05  # of the intervals over images that are handed in
_LEAST_P, _MOST_P = 1e-12, 1 - 1e-6


class Change(NamedTuple):
    """A change with its interval, and the p-value that belongs to that interval."""

    estimate: Estimate
    p_value: float | None  # None below `MIN_SEEDS` seeds


class SeedShifts:
    """Intervals and p-values of `after - before`: squared half-widths of images and seeds are added.

    The seeds' is Student's t of the seeds' own changes, which hold the chance in single predictions;
    the images' half-width loses its share of that. One seed adds nothing, and none makes an interval
    narrower than new images alone would: three seeds that all gain two images may do so by luck. Groups are
    counted among those that have images. The p-value is the level at which the interval's end reaches 0, so
    it is below .05 where the interval excludes 0 and nowhere else.

    Source: as `intervals.estimate_from_variance`; `picked.picked_quantile`; Bonferroni over tests.
    """

    def __init__(
        self,
        before_SN: CorrectArray,
        after_SN: CorrectArray,
        groups_N: Int64Array,
        *,
        equal_groups: bool = False,
        sources_N: Int64Array | None = None,
    ) -> None:
        present, counts_G = np.unique(groups_N, return_counts=True)
        self._n_seeds = len(before_SN)
        self._before = [before_SN[:, groups_N == group].astype(np.float64) for group in present]
        self._after = [after_SN[:, groups_N == group].astype(np.float64) for group in present]
        changes = [after - before for before, after in zip(self._before, self._after, strict=True)]
        self._sources = [None if sources_N is None else sources_N[groups_N == group] for group in present]
        self._parts = [mean_variance(change, of) for change, of in zip(changes, self._sources, strict=True)]
        self._rooms = [self._room(g, g) for g in range(len(present))]
        self._per_seed_SG: Float64Array = np.stack([change.mean(axis=1) for change in changes], axis=1)
        self._shares_G = (
            np.full(len(present), 1 / len(present)) if equal_groups else counts_G / counts_G.sum()
        )
        self._pool = pool_seeds(changes, self._rooms)

    def of_group(self, images: Estimate, group: int, *, n_picked: int = 1, n_tests: int = 1) -> Change:
        """One group's change.

        Args:
            images: its 95 % interval for new images alone.
            n_picked: groups that this one was picked from for its height.
            n_tests: such tests that are made, each of which may be the one that is reported.
        """
        return self._change(images, self._parts[group], self._rooms[group], n_picked, n_tests)

    def of_average(self, images: Estimate) -> Change:
        """The change over all images."""
        weights_G = self._shares_G**2
        variance = MeanVariance(
            images=float(weights_G @ [part.images for part in self._parts]),
            seeds=self._variance(self._per_seed_SG @ self._shares_G),
            residual=float(weights_G @ [part.residual for part in self._parts]),
        )
        return self._change(images, variance, float(self._shares_G @ self._rooms))

    def of_two(self, images: Estimate, first: int, second: int, *, n_picked: int = 1) -> Change:
        """Group `second` after minus group `first` before."""
        if first == second:
            return self.of_group(images, first, n_picked=n_picked)
        before, after = self._before[first], self._after[second]
        parts = (
            mean_variance(before, self._sources[first]),
            mean_variance(after, self._sources[second]),
        )
        variance = MeanVariance(
            images=sum(part.images for part in parts),
            seeds=self._variance(after.mean(axis=1) - before.mean(axis=1)),
            residual=sum(part.residual for part in parts),
        )
        return self._change(images, variance, self._room(first, second), n_picked)

    def _room(self, first: int, second: int) -> float:
        return prediction_variance(self._before[first]) + prediction_variance(self._after[second])

    def _variance(self, per_seed_S: Float64Array) -> float:
        return float(per_seed_S.var(ddof=1)) / self._n_seeds if self._n_seeds > 1 else 0.0

    def _change(
        self, images: Estimate, variance: MeanVariance, room: float, n_picked: int = 1, n_tests: int = 1
    ) -> Change:
        both = variance.images + variance.residual
        kept = math.sqrt(variance.images / both) if both > 0 and self._n_seeds > 1 else 1.0
        below, above = images.value - images.low, images.high - images.value
        seeds, freedom = self._seeds(variance, room)

        def half(images_half: float, alpha: float) -> float:
            scale = picked_quantile(alpha, n_picked) / picked_quantile(_ALPHA, 1)
            student = picked_quantile(alpha, n_picked, freedom) if seeds > 0 else 0.0
            both = math.hypot(scale * kept * images_half, student * math.sqrt(seeds))
            return max(both, scale * images_half)

        level = _ALPHA / n_tests
        ends = {"low": images.value - half(below, level), "high": images.value + half(above, level)}
        p_value = None
        if self._n_seeds >= MIN_SEEDS:
            towards_zero = below if images.value > 0 else above
            p_value = _reach(abs(images.value), partial(half, towards_zero), n_tests)
        return Change(clip_difference(images.model_copy(update=ends)), p_value)

    def _seeds(self, variance: MeanVariance, room: float) -> tuple[float, float]:
        """The seeds' variance and its degrees of freedom; two seeds ask the other groups as well.

        As `intervals.seed_half_width`.
        """
        freedom = max(self._n_seeds - 1.0, 1.0)
        if self._n_seeds != 2 or self._pool is None:
            return variance.seeds, freedom
        pooled = variance.residual + self._pool.correlation * room / self._n_seeds
        return max(variance.seeds, pooled), max(1.0, min(self._pool.freedom, MOST_POOLED))


def _reach(distance: float, half: Callable[[float], float], n_tests: int) -> float:
    """The level at which a half-width equals `distance`, times the number of tests, at most 1."""
    if distance == 0 or distance <= half(_MOST_P):
        return 1.0
    if distance >= half(_LEAST_P):
        return _LEAST_P * n_tests
    from scipy import optimize  # late: it takes half a second to load

    found = optimize.brentq(
        lambda log: half(math.exp(log)) - distance, math.log(_LEAST_P), math.log(_MOST_P), xtol=1e-9
    )
    return min(1.0, n_tests * math.exp(found))
