"""What new seeds add to the interval of a paired change that new images alone deserve.

Shape legend: S seeds, N images, G groups.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.core.results import Estimate
from pipeline.core.types import Float64Array, Int64Array
from pipeline.metrics.intervals import (
    CorrectArray,
    MeanVariance,
    clip_difference,
    mean_variance,
    seed_half_width,
)
from pipeline.metrics.seed_pool import pool_seeds, prediction_variance


class SeedShifts:
    """Widens intervals of `after - before`: squared half-widths of images and seeds are added.

    The seeds' is Student's t of the seeds' own changes, which hold the chance in single predictions;
    the images' half-width loses its share of that. One seed adds nothing. Groups are counted among
    those that have images.

    Source: as `intervals.estimate_from_variance`.
    """

    def __init__(self, before_SN: CorrectArray, after_SN: CorrectArray, groups_N: Int64Array) -> None:
        present, counts_G = np.unique(groups_N, return_counts=True)
        self._n_seeds = len(before_SN)
        self._before = [before_SN[:, groups_N == group].astype(np.float64) for group in present]
        self._after = [after_SN[:, groups_N == group].astype(np.float64) for group in present]
        changes = [after - before for before, after in zip(self._before, self._after, strict=True)]
        self._parts = [mean_variance(change) for change in changes]
        self._rooms = [self._room(g, g) for g in range(len(present))]
        self._per_seed_SG: Float64Array = np.stack([change.mean(axis=1) for change in changes], axis=1)
        self._shares_G = counts_G / counts_G.sum()
        self._pool = pool_seeds(changes, self._rooms)

    def widen_group(self, images: Estimate, group: int, confidence: float) -> Estimate:
        """The interval of one group's change."""
        return self._widen(images, self._parts[group], self._rooms[group], confidence)

    def widen_average(self, images: Estimate, confidence: float) -> Estimate:
        """The interval of the change over all images."""
        weights_G = self._shares_G**2
        variance = MeanVariance(
            images=float(weights_G @ [part.images for part in self._parts]),
            seeds=self._variance(self._per_seed_SG @ self._shares_G),
            residual=float(weights_G @ [part.residual for part in self._parts]),
        )
        return self._widen(images, variance, float(self._shares_G @ self._rooms), confidence)

    def widen_between(self, images: Estimate, first: int, second: int, confidence: float) -> Estimate:
        """The interval of group `second` after minus group `first` before."""
        if first == second:
            return self.widen_group(images, first, confidence)
        before, after = self._before[first], self._after[second]
        parts = (mean_variance(before), mean_variance(after))
        variance = MeanVariance(
            images=sum(part.images for part in parts),
            seeds=self._variance(after.mean(axis=1) - before.mean(axis=1)),
            residual=sum(part.residual for part in parts),
        )
        return self._widen(images, variance, self._room(first, second), confidence)

    def _room(self, first: int, second: int) -> float:
        return prediction_variance(self._before[first]) + prediction_variance(self._after[second])

    def _variance(self, per_seed_S: Float64Array) -> float:
        return float(per_seed_S.var(ddof=1)) / self._n_seeds if self._n_seeds > 1 else 0.0

    def _widen(self, images: Estimate, variance: MeanVariance, room: float, confidence: float) -> Estimate:
        if self._n_seeds == 1:
            return images
        both = variance.images + variance.residual
        kept = math.sqrt(variance.images / both) if both > 0 else 1.0
        tail = (1 - confidence) / 2
        seeds = seed_half_width(variance, self._n_seeds, tail, room=room, pool=self._pool)
        low = images.value - math.hypot(kept * (images.value - images.low), seeds)
        high = images.value + math.hypot(kept * (images.high - images.value), seeds)
        return clip_difference(images.model_copy(update={"low": low, "high": high}))
