"""Paired comparisons on the same images: method against baseline, after against before.

The bootstrap redraws images within each group and seeds. With S seeds an image is one of few
patterns (which seeds are right, before and after), so redrawing thousands of images is one
multinomial draw over the patterns' counts: the same distribution, thousands of times cheaper.

Shape legend: S seeds, N images, G groups, B bootstrap draws, U distinct patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.results import Estimate, MethodComparison
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.metrics.intervals import widen

N_BOOTSTRAP = 2000
N_FLIPS = 9999
_CONFIDENCE = 0.95

ValueArray = npt.NDArray[Any]  # bool or number


def compare_methods(
    baseline_SN: BoolArray,
    method_SN: BoolArray,
    groups_N: Int64Array,
    group_names: Sequence[str],
    *,
    baseline_name: str,
    method_name: str,
    worst_group_index: int,
    seed: int,
) -> MethodComparison:
    """Gain of a method over a baseline in the baseline's worst group, and of the worst groups.

    `gain` compares both methods in one group. That group was picked on these very images for being
    the baseline's worst, so part of its gain is regression to the mean: with 60 equal groups, a
    method that changes nothing seems to gain. Its interval and p-value are therefore simultaneous
    (Bonferroni) over the groups with images. `worst_group_gain` compares each method's own worst
    group, which is picked in the same way on both sides. Intervals are percentiles of a bootstrap
    over images (within groups) and seeds, shifted so that its mean is the observed value: a minimum
    of redrawn groups is lower than the minimum it was drawn from. The p-value flips the signs of
    per-image differences, which for one seed is McNemar's test; it asks about these trained models,
    while the interval also covers new seeds. Seeds are paired in order; with unequal counts the
    surplus is left out.

    Args:
        baseline_SN, method_SN: whether seed s is right on image n.

    Raises:
        InputError: shapes that do not agree, or no image of the worst group.
    Source: McNemar 1947; Efron and Tibshirani 1993.
    """
    n_seeds = min(len(baseline_SN), len(method_SN))
    before_SN, after_SN = baseline_SN[:n_seeds], method_SN[:n_seeds]
    _check(before_SN, after_SN, groups_N)
    worst_N = groups_N == worst_group_index
    if not worst_N.any():
        raise InputError(f"worst_group_index = {worst_group_index}: no image of that group to compare on.")
    rng = np.random.default_rng(seed)
    present = np.unique(groups_N)
    before_SG = _group_means(before_SN, groups_N, present)
    after_SG = _group_means(after_SN, groups_N, present)
    before_BG, after_BG = _bootstrap_groups(before_SN, after_SN, groups_N, present, rng)
    chosen = int(np.searchsorted(present, worst_group_index))
    gain_value = float((after_SG - before_SG)[:, chosen].mean())
    worst_gain = float(after_SG.mean(axis=0).min() - before_SG.mean(axis=0).min())
    differences_N = after_SN[:, worst_N].mean(axis=0) - before_SN[:, worst_N].mean(axis=0)
    gain = widen(
        _percentiles(gain_value, (after_BG - before_BG)[:, chosen], int(worst_N.sum())),
        n_comparisons=len(present),
        alpha=1 - _CONFIDENCE,
    )
    return MethodComparison(
        baseline=baseline_name,
        method=method_name,
        group=group_names[worst_group_index],
        gain=gain.model_copy(update={"low": max(gain.low, -1.0), "high": min(gain.high, 1.0)}),
        worst_group_gain=_percentiles(
            worst_gain, after_BG.min(axis=1) - before_BG.min(axis=1), len(groups_N)
        ),
        p_value=min(1.0, len(present) * sign_flip_p(differences_N, rng)),
        per_seed_gain=[float(v) for v in after_SG.min(axis=1) - before_SG.min(axis=1)],
    )


def paired_change(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array | None = None,
    *,
    seed: int = 0,
    confidence: float = _CONFIDENCE,
) -> Estimate:
    """Mean change `after - before` on the same images, with a bootstrap interval.

    Images are redrawn within groups where `groups_N` is given, so that the mix of groups stays; seeds
    are redrawn too.

    Args:
        before_SN, after_SN: right or wrong, or values in [0, 1].

    Raises:
        InputError: shapes that do not agree, or no images.
    """
    before_B, after_B = redraw_means(before_SN, after_SN, groups_N, seed=seed)
    change = float(after_SN.mean() - before_SN.mean())
    return _percentiles(change, after_B - before_B, before_SN.shape[1], confidence)


def redraw_means(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array | None = None,
    *,
    seed: int = 0,
    equal_groups: bool = False,
) -> tuple[Float64Array, Float64Array]:
    """Means of both sides over redrawn images (within groups) and seeds, B each, paired.

    `equal_groups` gives every group the same weight, else every image.

    Two images are added to those that are drawn from, one that changes from 0 to 1 and one from 1 to
    0, spread over the groups: without them 20 images that all change, or do not, would leave no doubt.

    Raises:
        InputError: shapes that do not agree, or no images.
    Source: Bonett and Price 2012 (the same two images, for one seed and a normal interval).
    """
    _check(before_SN, after_SN, groups_N)
    strata_N = np.zeros(before_SN.shape[1], np.int64) if groups_N is None else groups_N
    present, counts_G = np.unique(strata_N, return_counts=True)
    shares_G = np.full(len(present), 1 / len(present)) if equal_groups else counts_G / counts_G.sum()
    rng = np.random.default_rng(seed)
    before_BG, after_BG = _bootstrap_groups(before_SN, after_SN, strata_N, present, rng, added=1.0)
    return before_BG @ shares_G, after_BG @ shares_G


def sign_flip_p(differences_N: Float64Array, rng: np.random.Generator) -> float:
    """Two-sided p-value that per-image differences are symmetric around 0, (1 + #>=)/(B + 1).

    Differences of equal size are interchangeable, so their random signs are one binomial draw.
    """
    sizes_N = np.round(np.abs(differences_N), 12)
    sizes_U, counts_U = np.unique(sizes_N[sizes_N > 0], return_counts=True)
    if not len(sizes_U):
        return 1.0
    plus_BU = rng.binomial(counts_U, 0.5, size=(N_FLIPS, len(counts_U)))
    sums_B = np.abs((2 * plus_BU - counts_U) @ sizes_U)
    observed = abs(float(differences_N.sum()))
    return float((1 + np.count_nonzero(sums_B >= observed - 1e-9)) / (N_FLIPS + 1))


def _bootstrap_groups(
    before_SN: ValueArray,
    after_SN: ValueArray,
    groups_N: Int64Array,
    present: Int64Array,
    rng: np.random.Generator,
    *,
    added: float = 0.0,
) -> tuple[Float64Array, Float64Array]:
    """Redrawn group means of both sides, each B x (groups present), same images and seeds in both.

    `added` images that go from 0 to 1, and as many from 1 to 0, are spread over the groups by size.
    """
    n_seeds = len(before_SN)
    seed_weights_BS = _seed_weights(n_seeds, rng)
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


def _percentiles(value: float, draws_B: Float64Array, n: int, confidence: float = _CONFIDENCE) -> Estimate:
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws_B, [tail, 1 - tail]) - (draws_B.mean() - value)
    low, high = max(float(low), -1.0), min(float(high), 1.0)
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n)


def _group_means(values_SN: ValueArray, groups_N: Int64Array, present: Int64Array) -> Float64Array:
    return np.stack([values_SN[:, groups_N == group].mean(axis=1) for group in present], axis=1)


def _check(before_SN: ValueArray, after_SN: ValueArray, groups_N: Int64Array | None) -> None:
    if before_SN.shape != after_SN.shape or before_SN.ndim != 2 or 0 in before_SN.shape:
        raise InputError(
            f"cannot pair results of shapes {before_SN.shape} and {after_SN.shape}: both must be "
            "seeds x images of the same images, at least 1 x 1."
        )
    if groups_N is not None and len(groups_N) != before_SN.shape[1]:
        raise InputError(f"{len(groups_N)} group entries for {before_SN.shape[1]} images.")
