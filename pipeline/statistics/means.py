"""Means over images and models with intervals for both; NaN means "not measured here".

Shape legend: S models, N images.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import t_isf
from pipeline.statistics.intervals import (
    MeanVariance,
    estimate_from_variance,
    mean_variance,
    satterthwaite_df,
)

MIN_IMAGES = 10  # below it a mean over images is no evidence


def estimate_mean(values_SN: Float64Array, *, least: float = 0.0, most: float = 1.0) -> Estimate | None:
    """Mean over images of the mean over models, with a 95 % interval within [least, most].

    NaNs are left out; None where nothing is left. `n` counts images.

    >>> found = estimate_mean(np.array([[0.2, 0.4, 0.6, 0.8]]))
    >>> [round(x, 2) for x in (found.value, found.low, found.high)]
    [0.5, 0.09, 0.91]
    """
    values_SN = without_empty(values_SN)
    if values_SN.size == 0:
        return None
    per_image, per_model = np.nanmean(values_SN, axis=0), np.nanmean(values_SN, axis=1)
    variance = mean_variance_of(per_image, per_model)
    return t_estimate(
        float(per_image.mean()),
        variance,
        n=len(per_image),
        n_models=len(per_model),
        least=least,
        most=most,
    )


def estimate_share(hits_SN: Float64Array) -> Estimate | None:
    """Share of hits (0 or 1, NaN = not measured), with Wilson's interval allowing for new models.

    As `intervals.accuracy_over_seeds`, which it equals where nothing is NaN; None where all is.
    """
    hits_SN = without_empty(hits_SN)
    if hits_SN.size == 0:
        return None
    n_models, n = hits_SN.shape
    value = float(np.nanmean(hits_SN, axis=0).mean())
    return estimate_from_variance(value, mean_variance(hits_SN), n=n, n_seeds=n_models, confidence=0.95)


def without_empty(values_SN: Float64Array) -> Float64Array:
    """Without the images that no model has a value of, and the models without any value."""
    values_SN = values_SN[:, ~np.isnan(values_SN).all(axis=0)]
    return values_SN[~np.isnan(values_SN).all(axis=1)]


def mean_variance_of(per_image: Float64Array, per_model: Float64Array) -> MeanVariance:
    """Variance of a mean: the images' share and the models' share, 0 where there is one only."""
    n, n_models = len(per_image), len(per_model)
    return MeanVariance(
        images=float(per_image.var(ddof=1)) / n if n > 1 else 0.0,
        seeds=float(per_model.var(ddof=1)) / n_models if n_models > 1 else 0.0,
    )


def t_estimate(
    value: float, variance: MeanVariance, *, n: int, n_models: int, least: float, most: float
) -> Estimate:
    """Student's t interval cut to [least, most], the variances of images and of models added.

    Fewer than `MIN_IMAGES` images that do not differ say nothing about the spread: the interval is
    then the whole range.
    """
    if variance.images == 0 and n < MIN_IMAGES:
        return Estimate(value=value, low=least, high=most, n=n)
    if variance.total == 0:
        return Estimate(value=value, low=value, high=value, n=n)
    freedom = satterthwaite_df(variance, n=n, n_seeds=n_models)
    half = float(t_isf(0.025, freedom)) * math.sqrt(variance.total)
    return Estimate(value=value, low=max(least, value - half), high=min(most, value + half), n=n)
