"""Whether a model is right as often as it says: of the probability that it gives the class it names.

Shape legend: S seeds, N images, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import CalibrationBin, ModelCalibration
from pipeline.statistics.intervals import MeanVariance, clip_difference, widen
from pipeline.statistics.means import mean_variance_of, t_estimate
from pipeline.statistics.sources import design_effect

MOST_BINS, LEAST_IN_BIN = 15, 20
ALPHA = 0.05


def measure_calibration(
    confidence_SN: Float64Array,
    correct_SN: BoolArray,
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    min_images: int,
    sources_N: Int64Array | None = None,
) -> ModelCalibration:
    """Confidence beside accuracy: over all images, in bins of equally many, and in every group.

    The expected calibration error is the mean over images of how far confidence and accuracy of their bin
    are apart. Chance alone moves them apart: what as many images of a model that is right as often as it says
    would show stands beside it.

    Args:
        confidence_SN: probability of the class that a seed names.
        correct_SN: whether it is the image's.
        min_images: with fewer a group's number is marked.

    Source: Guo et al. 2017; bins of equally many images by Nguyen and O'Connor 2015.

    >>> confidence_SN, correct_SN = np.full((1, 100), 0.9), np.arange(100)[None] < 70
    >>> found = measure_calibration(confidence_SN, correct_SN, np.zeros(100, int), ["all"], min_images=10)
    >>> [round(x, 2) for x in (found.overconfidence.value, found.error.value, found.error_if_calibrated)]
    [0.2, 0.2, 0.02]
    """
    gap_SN, present = confidence_SN - correct_SN, np.unique(groups_N).tolist()
    bins_SN = np.stack([_bins(row_N) for row_N in confidence_SN])
    signs_SN = np.stack([_signs(*rows) for rows in zip(gap_SN, bins_SN, strict=True)])
    spread_SN = confidence_SN * (1 - confidence_SN)
    floors = [_floor(*rows) for rows in zip(spread_SN, bins_SN, strict=True)]
    return ModelCalibration(
        confidence=_mean(confidence_SN, sources_N, least=0.0),
        overconfidence=_mean(gap_SN, sources_N, least=-1.0),
        error=_mean(gap_SN * signs_SN, sources_N, least=0.0),
        error_if_calibrated=float(np.mean(floors)),
        brier=_mean(gap_SN**2, sources_N, least=0.0),
        groups=[
            _of_group(
                (g, group_names[g], len(present)),
                gap_SN[:, groups_N == g],
                min_images,
                _part(sources_N, groups_N == g),
            )
            for g in present
        ],
        bins=_describe(confidence_SN.ravel(), correct_SN.ravel()),
    )


def _part(sources_N: Int64Array | None, inside_N: BoolArray) -> Int64Array | None:
    return None if sources_N is None else sources_N[inside_N]


def _bins(confidence_N: Float64Array) -> Int64Array:
    """Bins of about equally many images; those of one confidence stay together."""
    n_bins = max(1, min(MOST_BINS, len(confidence_N) // LEAST_IN_BIN))
    edges = np.unique(np.quantile(confidence_N, np.arange(1, n_bins) / n_bins))
    return np.searchsorted(edges, confidence_N, side="left").astype(np.int64)


def _signs(gap_N: Float64Array, bins_N: Int64Array) -> Float64Array:
    """Whether the bin of an image is too sure (1) or not sure enough (-1)."""
    return np.where(np.bincount(bins_N, gap_N)[bins_N] < 0, -1.0, 1.0)


def _floor(spread_N: Float64Array, bins_N: Int64Array) -> float:
    """The mean error of a calibrated model: that of a normal number of each bin's variance."""
    return float(np.sqrt(2 / math.pi * np.bincount(bins_N, spread_N)).sum() / len(bins_N))


def _mean(values_SN: Float64Array, sources_N: Int64Array | None, *, least: float) -> Estimate:
    per_image, per_seed = values_SN.mean(axis=0), values_SN.mean(axis=1)
    variance, n = mean_variance_of(per_image, per_seed), len(per_image)
    value = float(per_image.mean())
    if sources_N is not None:
        effect = design_effect((per_image - value) / n, sources_N, variance.images)
        variance = MeanVariance(images=variance.images * effect, seeds=variance.seeds)
    return t_estimate(value, variance, n=n, n_models=len(per_seed), least=least, most=1.0)


def _of_group(
    which: tuple[int, str, int], gap_SN: Float64Array, min_images: int, sources_N: Int64Array | None
) -> GroupEstimate:
    """Its interval holds together with those of all others, of which the largest difference is picked."""
    index, name, n_groups = which
    wide = widen(_mean(gap_SN, sources_N, least=-1.0), n_comparisons=n_groups, alpha=ALPHA)
    found = clip_difference(wide)
    return GroupEstimate(**found.model_dump(), index=index, name=name, sufficient=found.n >= min_images)


def _describe(confidence_M: Float64Array, correct_M: BoolArray) -> list[CalibrationBin]:
    """Of all seeds' predictions together, to be drawn."""
    bins_M = _bins(confidence_M)
    return [
        CalibrationBin(
            n=int(inside_M.sum()),
            confidence=float(confidence_M[inside_M].mean()),
            accuracy=float(correct_M[inside_M].mean()),
        )
        for inside_M in (bins_M == b for b in np.unique(bins_M))
    ]
