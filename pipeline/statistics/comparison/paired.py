"""Bootstrap of paired results on the same images: method against baseline, after against before.

The bootstrap redraws images within each group. With S seeds an image is one of few patterns (which
seeds are right, before and after), so redrawing thousands of images is one multinomial draw over the
patterns' counts: the same distribution, thousands of times cheaper. A few seeds redrawn with
replacement say too little about new ones (3 seeds: 85 % coverage of nominal 95 %), so for a mean they
enter by Student's t, as in `intervals.estimate_from_variance`. Where images share sources (scenes,
patients), whole sources are redrawn, for all groups at once.

Shape legend: S seeds, N images, G groups, B bootstrap draws, U distinct patterns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.comparison.seed_shifts import Change, SeedShifts
from pipeline.statistics.distributions import normal_isf, t_isf

N_BOOTSTRAP = 2000
_CONFIDENCE = 0.95

ValueArray = npt.NDArray[Any]  # bool or number


def paired_change(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array | None = None,
    *,
    seed: int = 0,
    equal_groups: bool = False,
    sources_N: Int64Array | None = None,
) -> Estimate:
    """Mean change `after - before` on the same images, with a 95 % interval for new images and seeds.

    >>> before_SN, after_SN = np.zeros((1, 100), bool), np.arange(100)[None] < 20
    >>> found = paired_change(before_SN, after_SN)
    >>> [round(x, 2) for x in (found.value, found.low, found.high)]
    [0.2, 0.12, 0.28]
    """
    return measure_change(
        before_SN, after_SN, groups_N, seed=seed, equal_groups=equal_groups, sources_N=sources_N
    ).estimate


def measure_change(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array | None = None,
    *,
    seed: int = 0,
    equal_groups: bool = False,
    sources_N: Int64Array | None = None,
) -> Change:
    """`paired_change` with its p-value.

    Images are redrawn within groups where `groups_N` is given, so that the mix of groups stays.
    `equal_groups` gives every group the same weight, else every image.

    Args:
        before_SN, after_SN: right or wrong, or values in [0, 1].
        sources_N: scene or patient of each image; whole ones are redrawn.

    Raises:
        InputError: shapes that do not agree, or no images.
    """
    before_B, after_B = redraw_means(
        before_SN,
        after_SN,
        groups_N,
        seed=seed,
        equal_groups=equal_groups,
        redraw_seeds=False,
        sources_N=sources_N,
    )
    n = before_SN.shape[1]
    strata_N = np.zeros(n, np.int64) if groups_N is None else groups_N
    change_N = after_SN.mean(axis=0) - before_SN.mean(axis=0)
    change = float(after_SN.mean() - before_SN.mean())
    if equal_groups:
        change = float(np.mean([change_N[strata_N == group].mean() for group in np.unique(strata_N)]))
    images = percentiles(change, after_B - before_B, n)
    shifts = SeedShifts(before_SN, after_SN, strata_N, equal_groups=equal_groups, sources_N=sources_N)
    return shifts.of_average(images)


def redraw_means(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array | None = None,
    *,
    seed: int = 0,
    equal_groups: bool = False,
    redraw_seeds: bool = True,
    sources_N: Int64Array | None = None,
) -> tuple[Float64Array, Float64Array]:
    """Means of both sides over redrawn images (within groups) and seeds, B each, paired.

    `equal_groups` gives every group the same weight, else every image. Without `redraw_seeds` the
    seeds stay as they are.

    Two images are added to those that are drawn from, one that changes from 0 to 1 and one from 1 to
    0, spread over the groups: without them 20 images that all change, or do not, would leave no doubt.

    Raises:
        InputError: shapes that do not agree, or no images.
    Source: Bonett and Price 2012 (the same two images, for one seed and a normal interval).
    """
    check_pair(before_SN, after_SN, groups_N)
    strata_N = np.zeros(before_SN.shape[1], np.int64) if groups_N is None else groups_N
    present, counts_G = np.unique(strata_N, return_counts=True)
    shares_G = np.full(len(present), 1 / len(present)) if equal_groups else counts_G / counts_G.sum()
    rng = np.random.default_rng(seed)
    before_BG, after_BG = bootstrap_groups(
        before_SN,
        after_SN,
        strata_N,
        present,
        rng,
        added=1.0,
        redraw_seeds=redraw_seeds,
        sources_N=sources_N,
    )
    return before_BG @ shares_G, after_BG @ shares_G


def bootstrap_groups(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array,
    present: Int64Array,
    rng: np.random.Generator,
    *,
    added: float = 0.0,
    redraw_seeds: bool = False,
    sources_N: Int64Array | None = None,
) -> tuple[Float64Array, Float64Array]:
    """Redrawn group means of both sides, each B x (groups present), the same images in both.

    `added` images that go from 0 to 1, and as many from 1 to 0, are spread over the groups by size.
    `sources_N` redraws whole sources, to which at least one of either kind is added, of average size: that
    ten scenes did not change says little of the next.
    """
    n_seeds = len(before_SN)
    seed_weights_BS = _seed_weights(n_seeds, rng) if redraw_seeds else np.full((1, n_seeds), 1 / n_seeds)
    if sources_N is not None:
        stacked_2SN = np.concatenate([before_SN, after_SN]).astype(np.float64)
        means_BG2S = _redraw_sources(stacked_2SN, groups_N, present, sources_N, rng, max(added, 1.0))
        sides = means_BG2S[:, :, :n_seeds], means_BG2S[:, :, n_seeds:]
        before_BG, after_BG = ((side * seed_weights_BS[:, None]).sum(axis=2) for side in sides)
        return before_BG, after_BG
    before_BG = np.empty((N_BOOTSTRAP, len(present)))
    after_BG = np.empty_like(before_BG)
    for column, group in enumerate(present):
        inside = groups_N == group
        stacked = np.concatenate([before_SN[:, inside], after_SN[:, inside]]).astype(np.float64)
        patterns_2SU, counts_U = np.unique(stacked, axis=1, return_counts=True)
        n = int(counts_U.sum())
        if added:
            rise_2S = np.repeat([0.0, 1.0], n_seeds)
            patterns_2SU = np.column_stack([patterns_2SU, rise_2S, 1 - rise_2S])
            counts_U = np.append(counts_U, np.full(2, added * n / len(groups_N)))
        draws_BU = rng.multinomial(n, counts_U / counts_U.sum(), size=N_BOOTSTRAP)
        means_B2S = draws_BU @ patterns_2SU.T / n
        before_BG[:, column] = (means_B2S[:, :n_seeds] * seed_weights_BS).sum(axis=1)
        after_BG[:, column] = (means_B2S[:, n_seeds:] * seed_weights_BS).sum(axis=1)
    return before_BG, after_BG


def _redraw_sources(
    stacked_2SN: Float64Array,
    groups_N: Int64Array,
    present: Int64Array,
    sources_N: Int64Array,
    rng: np.random.Generator,
    added: float,
) -> Float64Array:
    """B x G x 2S means of groups over redrawn sources.

    A draw without a source of some group leaves it unknown: it then rises from 0 to 1, or falls. Few
    sources spread too little when redrawn, by sqrt((C-1)/C), and know their spread badly: deviations of a
    group with C sources are widened by that and by Student's t.
    """
    _, codes_N = np.unique(sources_N, return_inverse=True)
    columns_N = np.searchsorted(present, groups_N)
    n_sources, n_sides = int(codes_N.max()) + 1, len(stacked_2SN)
    sums_CGV = np.zeros((n_sources, len(present), n_sides + 1))
    np.add.at(sums_CGV, (codes_N, columns_N), np.column_stack([stacked_2SN.T, np.ones(len(codes_N))]))
    n_G = (sums_CGV[:, :, -1] > 0).sum(axis=0)
    units_UGV, counts_U = np.unique(sums_CGV, axis=0, return_counts=True)
    average_GV = np.repeat(sums_CGV[:, :, -1:].mean(axis=0), n_sides + 1, axis=1)
    is_after_V = np.repeat([0.0, 1.0], n_sides // 2)
    units_UGV = np.concatenate(
        [units_UGV, [average_GV * np.append(is_after_V, 1), average_GV * np.append(1 - is_after_V, 1)]]
    )
    counts_U = np.append(counts_U, np.full(2, added))
    draws_BU = rng.multinomial(n_sources, counts_U / counts_U.sum(), size=N_BOOTSTRAP).astype(np.float64)
    drawn_BGV = (draws_BU @ units_UGV.reshape(len(units_UGV), -1)).reshape(N_BOOTSTRAP, *units_UGV.shape[1:])
    is_known_BG1 = drawn_BGV[:, :, -1:] > 0
    means_BG2S = drawn_BGV[:, :, :-1] / np.where(is_known_BG1, drawn_BGV[:, :, -1:], 1.0)
    center_G2S = np.nanmean(np.where(is_known_BG1, means_BG2S, np.nan), axis=0)
    few_G = np.maximum(n_G, 2)
    wider_G = np.sqrt(few_G / (few_G - 1)) * t_isf(0.025, few_G - 1) / normal_isf(0.025)
    means_BG2S = center_G2S + (means_BG2S - center_G2S) * wider_G[:, None]
    rises_B1 = np.arange(N_BOOTSTRAP)[:, None] % 2 == 0
    unknown_B2S = np.where(rises_B1 == (np.arange(n_sides) < n_sides // 2), 0.0, 1.0)
    return np.where(is_known_BG1, means_BG2S, unknown_B2S[:, None])


def _seed_weights(n_seeds: int, rng: np.random.Generator) -> Float64Array:
    """B x S weights that sum to 1: how often each seed was redrawn.

    Redrawing S seeds understates the variance of their mean by (S-1)/S, which matters at S = 3, so
    the weights' deviations are widened by sqrt(S/(S-1)).
    """
    if n_seeds == 1:
        return np.ones((N_BOOTSTRAP, 1))
    drawn_BS = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=N_BOOTSTRAP) / n_seeds
    widened: Float64Array = 1 / n_seeds + (drawn_BS - 1 / n_seeds) * np.sqrt(n_seeds / (n_seeds - 1))
    return widened


def percentiles(value: float, draws_B: Float64Array, n: int) -> Estimate:
    """`value` with the draws' central 95 %, shifted so that their mean is `value`, within [-1, 1]."""
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(draws_B, [tail, 1 - tail]) - (draws_B.mean() - value)
    low, high = max(float(low), -1.0), min(float(high), 1.0)
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n)


def group_means(values_SN: ValueArray, groups_N: Int64Array, present: Int64Array) -> Float64Array:
    """Mean per seed and group, S x (groups present).

    >>> group_means(np.array([[1, 0, 1, 1]]), np.array([0, 0, 1, 1]), np.array([0, 1])).tolist()
    [[0.5, 1.0]]
    """
    return np.stack([values_SN[:, groups_N == group].mean(axis=1) for group in present], axis=1)


def check_pair(before_SN: ValueArray, after_SN: ValueArray, groups_N: Int64Array | None) -> None:
    """Raise `InputError` unless both are results of the same seeds and images, one group entry each."""
    if before_SN.shape != after_SN.shape or before_SN.ndim != 2 or 0 in before_SN.shape:
        raise InputError(
            f"cannot pair results of shapes {before_SN.shape} and {after_SN.shape}: both must be "
            "seeds x images of the same images, at least 1 x 1."
        )
    if groups_N is not None and len(groups_N) != before_SN.shape[1]:
        raise InputError(f"{len(groups_N)} group entries for {before_SN.shape[1]} images.")
