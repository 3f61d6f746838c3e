"""Intervals of numbers that several images make together, for new images and new seeds.

A calibration error or an area under a curve is no mean of what images have, so its variance has no closed form:
images are redrawn, the same ones for all seeds. Percentiles of such draws would be wrong, since redrawn images
repeat and errors grow by it; their spread is right, and is laid around the number itself.

Shape legend: S seeds, n images, C columns that one image's number is made of, D draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.intervals import MeanVariance
from pipeline.statistics.means import estimate_mean, mean_variance_of, t_estimate
from pipeline.statistics.sources import design_effect

Statistic = Callable[[Float64Array], float]  # of S x n x C: the mean over seeds of each seed's number
N_RESAMPLES = 200


class Spread(NamedTuple):
    """What one side of a comparison says."""

    value: float
    per_seed_S: Float64Array
    images: float  # variance that new images of the same seeds would give
    n: int  # images, or sources where these are redrawn


def estimate_statistic(
    values_SnC: Float64Array,
    statistic: Statistic | None,
    *,
    least: float,
    most: float,
    seed: int,
    n_resamples: int = N_RESAMPLES,
    sources_N: Int64Array | None = None,
) -> Estimate | None:
    """The statistic of these images with a 95 % interval within [least, most], for new images and seeds.

    `statistic` None: the mean of the only column, by the closed form of `means.estimate_mean`. Images that
    some seed has no number of are left out; None where nothing is left.

    Args:
        sources_N: scene or patient of each image; whole ones are redrawn.

    Raises:
        InputError: not S x n x C, or several columns of which nobody says how they are to be read.
    Source: Efron and Tibshirani 1993, chapters 6 and 13 (bootstrap standard error, normal interval); Searle,
        Casella and McCulloch 1992 (images and seeds crossed).

    >>> values_SnC = np.random.default_rng(0).random((3, 200, 1))
    >>> found = estimate_statistic(values_SnC, lambda v: float(np.median(v)), least=0, most=1, seed=0)
    >>> found is not None and found.low < 0.5 < found.high
    True
    """
    _check(values_SnC, statistic)
    kept_n = _kept(values_SnC)
    if statistic is None and sources_N is None:
        return estimate_mean(values_SnC[:, :, 0], least=least, most=most)
    values_SnC, sources_N = _take(values_SnC, kept_n), None if sources_N is None else sources_N[kept_n]
    if values_SnC.size == 0:
        return None
    found = _spread(values_SnC, statistic, seed=seed, n_resamples=n_resamples, sources_N=sources_N)
    return _estimate(found.value, found.images, found.per_seed_S, values_SnC.shape[1], (least, most), found.n)


def paired_difference(
    first_SnC: Float64Array,
    second_SnC: Float64Array,
    statistic: Statistic | None,
    *,
    least: float,
    most: float,
    seed: int,
    n_resamples: int = N_RESAMPLES,
    sources_N: Int64Array | None = None,
) -> Estimate | None:
    """The first's statistic minus the second's on the same images, such as of two methods; seeds in pairs.

    With unequal numbers of seeds the first ones are paired. `least` and `most` are those of the statistic.

    >>> rng = np.random.default_rng(0)
    >>> first_SnC = rng.random((3, 100, 1))
    >>> found = paired_difference(first_SnC, first_SnC - 0.1, None, least=0, most=1, seed=0)
    >>> found is not None and round(found.low, 3), found is not None and round(found.high, 3)
    (0.1, 0.1)
    """
    n_seeds = min(len(first_SnC), len(second_SnC))
    both_SnC = np.concatenate([first_SnC[:n_seeds], second_SnC[:n_seeds]], axis=2)
    n_columns, room = first_SnC.shape[2], most - least
    _check(first_SnC, statistic)

    def difference(values_SnC: Float64Array) -> float:
        if statistic is None:
            return float((values_SnC[:, :, 0] - values_SnC[:, :, 1]).mean())
        return statistic(values_SnC[:, :, :n_columns]) - statistic(values_SnC[:, :, n_columns:])

    if statistic is None:
        return estimate_statistic(
            both_SnC[:, :, :1] - both_SnC[:, :, 1:], None, least=-room, most=room, seed=seed, sources_N=sources_N
        )
    return estimate_statistic(
        both_SnC,
        difference,
        least=-room,
        most=room,
        seed=seed,
        n_resamples=n_resamples,
        sources_N=sources_N,
    )


def group_difference(
    in_SnC: Float64Array,
    out_SmC: Float64Array,
    statistic: Statistic | None,
    *,
    least: float,
    most: float,
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> Estimate | None:
    """The statistic of one set of images minus that of another, of the same seeds; n is the smaller number.

    None where either side has no images, or no seed has both.

    >>> rng = np.random.default_rng(0)
    >>> found = group_difference(rng.random((3, 90, 1)) + 1, rng.random((3, 200, 1)), None, least=0, most=2, seed=0)
    >>> found is not None and found.n, found is not None and found.low < 1 < found.high
    (90, True)
    """
    _check(in_SnC, statistic)
    if len(in_SnC) != len(out_SmC):
        raise InputError(f"{len(in_SnC)} and {len(out_SmC)} seeds: groups are compared within the same seeds.")
    measured_S = ~(_empty_seeds(in_SnC) | _empty_seeds(out_SmC))
    sides = [side[measured_S][:, _kept(side[measured_S])] for side in (in_SnC, out_SmC)]
    if min(side.size for side in sides) == 0:
        return None
    inside, outside = (
        _spread(side, statistic, seed=seed + i, n_resamples=n_resamples) for i, side in enumerate(sides)
    )
    room, n = most - least, min(inside.n, outside.n)
    return _estimate(
        inside.value - outside.value,
        inside.images + outside.images,
        inside.per_seed_S - outside.per_seed_S,
        n,
        (-room, room),
        n,
    )


def _estimate(
    value: float,
    images: float,
    per_seed_S: Float64Array,
    n: int,
    ends: tuple[float, float],
    n_drawn: int,
) -> Estimate:
    n_seeds = len(per_seed_S)
    seeds = float(per_seed_S.var(ddof=1)) / n_seeds if n_seeds > 1 else 0.0
    found = t_estimate(
        value, MeanVariance(images, seeds), n=n_drawn, n_models=n_seeds, least=ends[0], most=ends[1]
    )
    # what noise was subtracted from can be beyond the ends, and so can its whole interval
    low, value, high = (min(max(x, ends[0]), ends[1]) for x in (found.low, found.value, found.high))
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n)


def _spread(
    values_SnC: Float64Array,
    statistic: Statistic | None,
    *,
    seed: int,
    n_resamples: int,
    sources_N: Int64Array | None = None,
) -> Spread:
    if statistic is None:
        return _closed_form(values_SnC[:, :, 0], sources_N)
    n_seeds, n = values_SnC.shape[:2]
    per_seed_S = np.array([statistic(values_SnC[s : s + 1]) for s in range(n_seeds)])
    n_drawn = n if sources_N is None else len(np.unique(sources_N))
    images = _shared_variance(values_SnC, statistic, seed, n_resamples, sources_N)
    return Spread(statistic(values_SnC), per_seed_S, images * n_drawn / max(n_drawn - 1, 1), n_drawn)


def _closed_form(values_SN: Float64Array, sources_N: Int64Array | None) -> Spread:
    per_image_N, per_seed_S = values_SN.mean(axis=0), values_SN.mean(axis=1)
    images, value, n = mean_variance_of(per_image_N, per_seed_S).images, float(values_SN.mean()), len(per_image_N)
    if sources_N is not None:
        images *= design_effect((per_image_N - value) / n, sources_N, images)
    return Spread(value, per_seed_S, images, n)


def _shared_variance(
    values_SnC: Float64Array,
    statistic: Statistic,
    seed: int,
    n_resamples: int,
    sources_N: Int64Array | None,
) -> float:
    """Variance of redrawing images, without the chance in single predictions where seeds hold it already.

    The spread of the seeds over S has that chance in it. So, as in `intervals.mean_variance`, it is taken out of
    the images' variance: redrawing each seed's images by themselves gives 1/S of what images and chance give
    together, redrawing the same images for all gives the images' part whole.
    """
    n_seeds, n = values_SnC.shape[:2]
    rng = np.random.default_rng(seed)
    together = np.var(
        [statistic(values_SnC[:, rows]) for rows in _redraws(rng, n, n_resamples, sources_N)], ddof=1
    )
    if n_seeds == 1:
        return float(together)
    apart = 0.0
    per_seed = -(-n_resamples // n_seeds)
    for s in range(n_seeds):
        one_1nC = values_SnC[s : s + 1]
        draws = [statistic(one_1nC[:, rows]) for rows in _redraws(rng, n, per_seed, sources_N)]
        apart += float(np.var(draws, ddof=1)) / n_seeds**2
    return float(np.clip((together - apart) * n_seeds / (n_seeds - 1), 0, together))


def _redraws(
    rng: np.random.Generator, n: int, n_resamples: int, sources_N: Int64Array | None
) -> Iterator[Int64Array]:
    """Rows of `n_resamples` draws with replacement, of images or of whole sources."""
    if sources_N is None:
        yield from rng.integers(n, size=(n_resamples, n))
        return
    _, codes_N = np.unique(sources_N, return_inverse=True)
    members = np.split(np.argsort(codes_N, kind="stable"), np.cumsum(np.bincount(codes_N))[:-1])
    for drawn in rng.integers(len(members), size=(n_resamples, len(members))):
        yield np.concatenate([members[source] for source in drawn])


def _empty_seeds(values_SnC: Float64Array) -> BoolArray:
    empty_S: BoolArray = np.isnan(values_SnC).any(axis=2).all(axis=1)
    return empty_S


def _kept(values_SnC: Float64Array) -> BoolArray:
    """Images that all seeds have a number of, leaving aside seeds without any."""
    missing_Sn = np.isnan(values_SnC).any(axis=2)[~_empty_seeds(values_SnC)]
    kept_n: BoolArray = ~missing_Sn.any(axis=0) if len(missing_Sn) else np.zeros(values_SnC.shape[1], bool)
    return kept_n


def _take(values_SnC: Float64Array, kept_n: BoolArray) -> Float64Array:
    return values_SnC[~_empty_seeds(values_SnC)][:, kept_n]


def _check(values_SnC: Float64Array, statistic: Statistic | None) -> None:
    if values_SnC.ndim != 3 or (statistic is None and values_SnC.shape[2] != 1):
        raise InputError(
            f"numbers of shape {values_SnC.shape}: needs seeds x images x columns, with one column where no "
            "statistic says how several are read."
        )
