"""How good a ranking of suspects is where the wrong labels are known."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Float64Array
from pipeline.records.attribution import (
    LabelRanking,
)


def rate_ranking(
    name: str, suspicion_N: Float64Array, known_N: BoolArray | None, *, seed: int = 0
) -> LabelRanking:
    """How well a ranking finds known wrong labels; nothing where none is known.

    The interval is of the percentile bootstrap over images.
    """
    if known_N is None or not known_N.any():
        return LabelRanking(name=name, average_precision=None, low=None, high=None, precision_at_known=None)
    n_known = int(known_N.sum())
    draws_R = _resampled_precision(suspicion_N, known_N, seed)
    low, high = np.quantile(draws_R, [0.025, 0.975])
    value = average_precision(suspicion_N, known_N)
    top = np.argsort(-suspicion_N, kind="stable")[:n_known]
    return LabelRanking(
        name=name,
        average_precision=value,
        low=min(float(low), value),
        high=max(float(high), value),
        precision_at_known=float(known_N[top].mean()),
    )


def average_precision(suspicion_N: Float64Array, known_N: BoolArray) -> float:
    """Precision averaged over the known wrong labels, down the ranking; equal numbers share a place.

    Images that cannot be ranked come last: what they hide was not found.

    >>> round(average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])), 3)
    0.833
    """
    return float(_weighted_precision(suspicion_N, known_N, np.ones((1, len(known_N))))[0])


def _resampled_precision(suspicion_N: Float64Array, known_N: BoolArray, seed: int) -> Float64Array:
    """Average precision of resamples of the images that hold a known wrong label."""
    rng = np.random.default_rng(seed)
    n = len(known_N)
    found, n_left = [], N_RESAMPLES
    while n_left > 0:
        size = min(n_left, max(1, _BLOCK // n))
        counts_RN = rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        has_known_R = counts_RN[:, known_N].any(1)
        found.append(_weighted_precision(suspicion_N, known_N, counts_RN[has_known_R]))
        n_left -= size
    return np.concatenate(found)


def _weighted_precision(
    suspicion_N: Float64Array, known_N: BoolArray, weights_RN: Float64Array
) -> Float64Array:
    """Average precision for several weightings of the images; the ranking is sorted only once."""
    place_N = np.where(np.isnan(suspicion_N), np.nanmin(suspicion_N) - 1, suspicion_N)
    order = np.argsort(-place_N, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(place_N[order]) != 0, True))  # of images in one place
    known_RN = weights_RN[:, order] * known_N[order]
    hits_RP = known_RN.cumsum(1)[:, ends]
    seen_RP = weights_RN[:, order].cumsum(1)[:, ends]
    gained_RP = np.diff(hits_RP, axis=1, prepend=0.0)
    precision_RP = np.divide(hits_RP, seen_RP, out=np.zeros_like(hits_RP), where=seen_RP > 0)
    average_R: Float64Array = (precision_RP * gained_RP).sum(1) / hits_RP[:, -1]
    return average_R


N_RESAMPLES = 1000


_BLOCK = 4_000_000  # numbers of a block of resamples
