"""Do scores foretell sizes: slopes of actual on foretold changes, tried on retrainings that were held out.

Scores of a linear estimate have the right order long before they have the right size. A slope mends the
size where one slope holds for all; whether it does is seen on retrainings that were held out.

Shape legend: R retrainings, H test groups, C clusters of retrainings (shares of one thinned group are one).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.attribution import Calibration
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf, t_isf
from pipeline.statistics.intervals import score_interval

LEAST_RETRAININGS = 4  # clusters: one is held out, and a spread over three others is the least there can be
CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Calibrated:
    """What was found, and each change foretold in size by the slope of the other retrainings."""

    record: Calibration
    foretold: list[list[Estimate]]  # R x H; empty where there are too few retrainings


def calibrate(
    kind: Literal["subsets", "thinned"],
    foretold_RH: Float64Array,
    actual_RH: Float64Array,
    clusters_R: Int64Array,
) -> Calibrated:
    """The slope of actual on foretold changes, and how often its prediction intervals cover held-out ones.

    Thinned groups change against trainings on all images: without a foretold change none is expected. Random
    subsets are all of one size, so they are compared with each other: each change is one from the mean of the
    subsets that the slope is fitted on.

    Args:
        actual_RH: mean margins of test groups, or their changes, means over repeats.
        clusters_R: retrainings of one cluster are held out together.

    Raises:
        InputError: shapes that differ, or values that are not finite.
    """
    _check(foretold_RH, actual_RH, clusters_R)
    found, n_changes = np.unique(clusters_R), foretold_RH.size
    if len(found) < LEAST_RETRAININGS:
        reason = f"{len(found)} retrainings of that kind are too few: it takes {LEAST_RETRAININGS}"
        return _too_few(kind, len(found), n_changes, reason)
    is_centered = kind == "subsets"
    folds = [_Fold.of(foretold_RH, actual_RH, clusters_R, clusters_R != c, is_centered) for c in found]
    whole = _Fold.of(foretold_RH, actual_RH, clusters_R, np.ones(len(clusters_R), bool), is_centered)
    if not all(fold.spread > 0 for fold in folds):
        return _too_few(kind, len(found), n_changes, "the scores foretell no change")
    slope = _jackknife(whole.slope, np.array([fold.slope for fold in folds]))
    of_cluster = dict(zip(found.tolist(), folds, strict=True))
    foretold = [of_cluster[c].foretell(x_H) for c, x_H in zip(clusters_R.tolist(), foretold_RH, strict=True)]
    hits_RH = np.array(
        [
            [one.low <= y <= one.high for one, y in zip(row, y_H, strict=True)]
            for row, y_H in zip(foretold, actual_RH.tolist(), strict=True)
        ]
    )
    # over all changes an interval that is too short for large ones makes up for it with small ones
    size_RH = np.abs(foretold_RH - whole.x0_H)
    large = hits_RH[size_RH >= np.median(size_RH)]
    coverage, of_large = (_coverage(hits, whole.inflation) for hits in (hits_RH.ravel(), large))
    reason = _why_not_sizes(slope, coverage, of_large)
    record = Calibration(
        kind=kind,
        status="order" if reason else "sizes",
        n_retrainings=len(found),
        n_changes=n_changes,
        slope=slope,
        coverage=coverage,
        coverage_of_large=of_large,
        reason=reason,
    )
    return Calibrated(record, foretold)


@dataclass(frozen=True)
class _Fold:
    """A slope through the origin, with what its predictions of other retrainings are unsure by."""

    x0_H: Float64Array  # what changes are counted from
    y0_H: Float64Array
    slope: float
    spread: float  # sum of squared foretold changes
    slope_variance: float
    residual_variance: float
    freedom: float
    inflation: float  # changes of one retraining go together: so many of them count as one
    n: int  # retrainings
    n_mean: float  # of them behind y0; infinite where changes are counted from a training on all images

    @classmethod
    def of(
        cls,
        foretold_RH: Float64Array,
        actual_RH: Float64Array,
        clusters_R: Int64Array,
        used_R: np.typing.NDArray[np.bool_],
        is_centered: bool,
    ) -> _Fold:
        x_RH, y_RH, clusters_R = foretold_RH[used_R], actual_RH[used_R], clusters_R[used_R]
        nothing_H = np.zeros(x_RH.shape[1])
        x0_H, y0_H = (x_RH.mean(axis=0), y_RH.mean(axis=0)) if is_centered else (nothing_H, nothing_H)
        x_RH, y_RH = x_RH - x0_H, y_RH - y0_H
        spread = float((x_RH**2).sum())
        slope = float((x_RH * y_RH).sum()) / spread if spread > 0 else 0.0
        residual_RH = y_RH - slope * x_RH
        n_free = residual_RH.size - 1 - (x_RH.shape[1] if is_centered else 0)
        variance = float((residual_RH**2).sum()) / max(n_free, 1)
        n_clusters = len(np.unique(clusters_R))
        score_C = np.array([(x_RH * residual_RH)[clusters_R == c].sum() for c in np.unique(clusters_R)])
        robust = float((score_C**2).sum()) / spread**2 * n_clusters / (n_clusters - 1) if spread > 0 else 0.0
        inflation = _inflation(residual_RH, clusters_R)
        return cls(
            x0_H=x0_H,
            y0_H=y0_H,
            slope=slope,
            spread=spread,
            slope_variance=robust,
            residual_variance=variance,
            freedom=max(1.0, n_free / inflation),
            inflation=inflation,
            n=len(x_RH),
            n_mean=float(len(x_RH)) if is_centered else math.inf,
        )

    def foretell(self, x_H: Float64Array) -> list[Estimate]:
        """95 % prediction intervals of a retraining that the slope was not fitted on."""
        quantile, found = float(t_isf(_TAIL, self.freedom)), list[Estimate]()
        for x, x0, y0 in zip(x_H.tolist(), self.x0_H.tolist(), self.y0_H.tolist(), strict=True):
            value = y0 + self.slope * (x - x0)
            variance = self.slope_variance * (x - x0) ** 2 + self.residual_variance * (1 + 1 / self.n_mean)
            half = quantile * math.sqrt(variance)
            found.append(Estimate(value=value, low=value - half, high=value + half, n=self.n))
        return found


def _inflation(residual_RH: Float64Array, clusters_R: Int64Array) -> float:
    """By how much the variance of a mean grows because residuals of one cluster go together, at least 1."""
    total = float((residual_RH**2).mean())
    products, pairs, sizes = 0.0, 0, list[int]()
    for cluster in np.unique(clusters_R):
        own = residual_RH[clusters_R == cluster].ravel()
        products += float(own.sum() ** 2 - (own**2).sum())
        pairs += own.size * (own.size - 1)
        sizes.append(own.size)
    if total == 0 or pairs == 0:
        return 1.0
    correlation = min(1.0, max(0.0, products / pairs / total))
    return 1 + (float(np.mean(sizes)) - 1) * correlation


def _jackknife(slope: float, without_C: Float64Array) -> Estimate:
    """The slope with its interval from the slopes without each cluster.

    Source: the jackknife of clusters (CV3) in MacKinnon, Nielsen and Webb 2023 (arXiv:2205.03285).
    """
    n = len(without_C)
    variance = (n - 1) / n * float(((without_C - slope) ** 2).sum())
    half = float(t_isf(_TAIL, n - 1)) * math.sqrt(variance)
    return Estimate(value=slope, low=slope - half, high=slope + half, n=n)


def _coverage(hits_n: np.typing.NDArray[np.bool_], inflation: float) -> Estimate:
    """The share of hits with Wilson's interval, as many of which count as one as go together."""
    share, n = float(hits_n.mean()), len(hits_n)
    interval = score_interval(share, n / inflation, float(normal_isf(_TAIL)))
    return Estimate(value=share, low=interval.low, high=interval.high, n=n)


def _why_not_sizes(slope: Estimate, *coverages: Estimate) -> str:
    if slope.low <= 0:
        return "larger foretold changes are not shown to be larger changes"
    if any(coverage.high < CONFIDENCE for coverage in coverages):
        return "one slope does not foretell the retrainings that it was not fitted on"
    return ""


def _too_few(
    kind: Literal["subsets", "thinned"], n_retrainings: int, n_changes: int, reason: str
) -> Calibrated:
    record = Calibration(
        kind=kind, status="insufficient", n_retrainings=n_retrainings, n_changes=n_changes, reason=reason
    )
    return Calibrated(record, [])


def _check(foretold_RH: Float64Array, actual_RH: Float64Array, clusters_R: Int64Array) -> None:
    if foretold_RH.shape != actual_RH.shape or len(clusters_R) != len(foretold_RH) or not foretold_RH.size:
        raise InputError(
            f"foretold changes {foretold_RH.shape}, actual ones {actual_RH.shape}, {len(clusters_R)} "
            "clusters: needs one of each for every retraining and test group, and at least one."
        )
    if not (np.isfinite(foretold_RH).all() and np.isfinite(actual_RH).all()):
        raise InputError("changes that are not finite cannot be calibrated: run the attribute stage again.")
