"""Intervals of numbers that several images make together, for new images and new seeds.

A calibration error or an area under a curve is no mean of what images have, so its variance has no closed
form: images are redrawn, the same ones for all seeds. Percentiles of such draws would be wrong, since
redrawn images repeat and errors grow by it; their spread is right, and is laid around the number itself. As
in `means.py` the variance of the seeds' numbers is added to it, with Student's t; the chance in single
predictions counts in both.

Shape legend: S seeds, n images, C columns that one image's number is made of, D draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.intervals import MeanVariance, independent_difference
from pipeline.statistics.means import estimate_mean, estimate_share, mean_variance_of, t_estimate
from pipeline.statistics.sources import design_effect

Statistic = Callable[[Float64Array], float]  # of S x n x C: the mean over seeds of each seed's number
N_RESAMPLES = 200


class Spread(NamedTuple):
    """What one side of a comparison says."""

    value: float
    per_seed_S: Float64Array
    images: float  # variance that new images would give
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

    >>> values_SnC = np.linspace(0, 1, 99)[None, :, None]
    >>> found = estimate_statistic(values_SnC, lambda v: float(np.median(v)), least=0, most=1, seed=0)
    >>> found is not None and found.low < 0.5 < found.high
    True
    """
    _check(values_SnC, statistic)
    kept_n = measured_images(values_SnC, statistic)
    if statistic is None and sources_N is None:
        return _estimate_mean(values_SnC[:, :, 0], least, most)
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
    _check(first_SnC, statistic)
    n_seeds, n_columns, room = min(len(first_SnC), len(second_SnC)), first_SnC.shape[2], most - least
    first_SnC, second_SnC = first_SnC[:n_seeds], second_SnC[:n_seeds]
    if statistic is None:
        change_SnC = first_SnC - second_SnC
        return estimate_statistic(change_SnC, None, least=-room, most=room, seed=seed, sources_N=sources_N)

    def difference(values_SnC: Float64Array) -> float:
        return statistic(values_SnC[:, :, :n_columns]) - statistic(values_SnC[:, :, n_columns:])

    return estimate_statistic(
        np.concatenate([first_SnC, second_SnC], axis=2),
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
    sources: tuple[Int64Array, Int64Array] | None = None,
) -> Estimate | None:
    """The statistic of one set of images minus that of another, of the same seeds; n is the smaller number.

    None where either side has no images, or no seed has both.

    Args:
        sources: scene or patient of the images of either side; whole ones are redrawn.

    >>> rng = np.random.default_rng(0)
    >>> in_SnC, out_SmC = rng.random((3, 90, 1)) + 1, rng.random((3, 200, 1))
    >>> found = group_difference(in_SnC, out_SmC, None, least=0, most=2, seed=0)
    >>> found is not None and found.n, found is not None and found.low < 1 < found.high
    (90, True)
    """
    _check(in_SnC, statistic)
    if len(in_SnC) != len(out_SmC):
        raise InputError(
            f"{len(in_SnC)} and {len(out_SmC)} seeds: groups are compared within the same seeds."
        )
    measured_S = ~(_empty_seeds(in_SnC) | _empty_seeds(out_SmC))
    rows = [measured_images(side[measured_S], statistic) for side in (in_SnC, out_SmC)]
    sides = [side[measured_S][:, own] for side, own in zip((in_SnC, out_SmC), rows, strict=True)]
    if min(side.size for side in sides) == 0:
        return None
    if sources is None and statistic is None and all(_are_answers(side) for side in sides):
        first, second = (estimate_share(side[:, :, 0]) for side in sides)
        return independent_difference(first, second) if first and second else None
    inside, outside = (
        _spread(
            side,
            statistic,
            seed=seed + i,
            n_resamples=n_resamples,
            sources_N=None if sources is None else sources[i][rows[i]],
        )
        for i, side in enumerate(sides)
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


def _estimate_mean(values_SN: Float64Array, least: float, most: float) -> Estimate | None:
    """By Wilson's formula for shares: where none or all are hits nothing differs, and much is open."""
    if (least, most) == (0.0, 1.0) and _are_answers(values_SN):
        return estimate_share(values_SN)
    return estimate_mean(values_SN, least=least, most=most)


def _are_answers(values: Float64Array) -> bool:
    """Whether all that was measured is yes or no."""
    known = values[~np.isnan(values)]
    return bool(np.isin(known, (0.0, 1.0)).all())


def measured_images(values_SnC: Float64Array, statistic: Statistic | None) -> BoolArray:
    """Images that count: a mean leaves single numbers out, other statistics ask for all of an image's."""
    if statistic is None:
        return np.asarray(~np.isnan(values_SnC).all(axis=(0, 2)), np.bool_)
    return _kept(values_SnC)


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
    redraws = _redraws(np.random.default_rng(seed), n, n_resamples, sources_N)
    images = float(np.var([statistic(values_SnC[:, rows]) for rows in redraws], ddof=1))
    return Spread(statistic(values_SnC), per_seed_S, images * n_drawn / max(n_drawn - 1, 1), n_drawn)


def _closed_form(values_SN: Float64Array, sources_N: Int64Array | None) -> Spread:
    per_image_N, per_seed_S = np.nanmean(values_SN, axis=0), np.nanmean(values_SN, axis=1)
    images = mean_variance_of(per_image_N, per_seed_S).images
    value, n = float(per_image_N.mean()), len(per_image_N)
    if sources_N is not None:
        images *= design_effect((per_image_N - value) / n, sources_N, images)
    return Spread(value, per_seed_S, images, n)


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


def _missing(values_SnC: Float64Array) -> BoolArray:
    missing_Sn: BoolArray = np.logical_or.reduce(np.isnan(values_SnC), axis=2)
    return missing_Sn


def _empty_seeds(values_SnC: Float64Array) -> BoolArray:
    empty_S: BoolArray = np.logical_and.reduce(_missing(values_SnC), axis=1)
    return empty_S


def _kept(values_SnC: Float64Array) -> BoolArray:
    """Images that all seeds have a number of, leaving aside seeds without any."""
    measured_Sn = ~_missing(values_SnC)[~_empty_seeds(values_SnC)]
    kept_n: BoolArray = np.logical_and.reduce(measured_Sn, axis=0)
    return kept_n if len(measured_Sn) else np.zeros(values_SnC.shape[1], bool)


def _take(values_SnC: Float64Array, kept_n: BoolArray) -> Float64Array:
    return values_SnC[~_empty_seeds(values_SnC)][:, kept_n]


def _check(values_SnC: Float64Array, statistic: Statistic | None) -> None:
    if values_SnC.ndim != 3 or (statistic is None and values_SnC.shape[2] != 1):
        raise InputError(
            f"numbers of shape {values_SnC.shape}: needs seeds x images x columns, with one column where no "
            "statistic says how several are read."
        )
