"""How alike two sets of maps of the same images are.

Shape legend: S models of the baseline, T models of the method, N images, h w cells of a map,
c = h * w cells in one row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.records.gradcam import MapAgreement
from pipeline.statistics.intervals import MeanVariance
from pipeline.statistics.means import t_estimate

TOP_SHARE = 0.2  # of the cells

Similarity = Callable[[BoolArray, BoolArray], Float64Array]  # which models are kept -> one per image


def spearman(first_Nhw: Float32Array, second_Nhw: Float32Array) -> Float64Array:
    """Rank correlation over cells of each pair of maps, ties averaged; NaN where either is constant."""
    products_Nc = _standard_ranks(first_Nhw) * _standard_ranks(second_Nhw)
    correlation: Float64Array = products_Nc.sum(axis=1)
    return correlation


def top_overlap(first_Nhw: Float32Array, second_Nhw: Float32Array) -> Float64Array:
    """Intersection over union of the top 20 % of cells of each pair of maps; NaN where either is blank.

    About .11 for unrelated maps. Cells without any evidence are never on top, and ties at the
    threshold are taken together, so that no order of cells decides.
    """
    overlap: Float64Array = _overlap(_top_cells(first_Nhw)[None], _top_cells(second_Nhw)[None])[0, 0]
    return overlap


def compare_maps(
    baseline_SNhw: Float32Array,
    method_TNhw: Float32Array,
    *,
    baseline: str,
    method: str,
    predicted: tuple[Int64Array, Int64Array] | None = None,
) -> MapAgreement | None:
    """Spearman and top-20 % overlap between two methods' maps, beside two seeds of the baseline.

    Each number is the mean over images of the mean over pairs of models. Models are in the order of
    their seeds, and where both methods have several, models of the same seed are not paired: they
    started from the same weights, which two seeds of the baseline did not. Intervals allow for new
    images and, by the jackknife, for new models where there are enough of them (two of a method;
    three for the baseline's own pairs). Blank and constant maps are left out. Maps of another grid
    are averaged over areas to the coarser one.

    Args:
        predicted: the classes that the maps are of, S x N and T x N. Where given, a pair counts only on
            images both models predict alike: a map for one class and a map for another differ even
            when both models look at the same things, and methods differ in what they predict.

    Returns:
        None where no image has a map that varies in both methods, for example with one cell.

    Raises:
        InputError: not the same number of images.
    """
    if baseline_SNhw.shape[1] != method_TNhw.shape[1]:
        raise InputError(
            f"maps of {baseline_SNhw.shape[1]} images of {baseline} cannot be compared with maps of "
            f"{method_TNhw.shape[1]} images of {method}: both must be of the same images, in one order."
        )
    first_SNhw, second_TNhw = _to_common_grid(baseline_SNhw, method_TNhw)
    ranks = [_standard_ranks(maps) for maps in (first_SNhw, second_TNhw)]
    tops = [_top_cells(maps) for maps in (first_SNhw, second_TNhw)]
    counts = len(first_SNhw), len(second_TNhw)
    classes = predicted or (np.zeros((counts[0], 1)), np.zeros((counts[1], 1)))
    cross_STN = _where_alike(classes[0], classes[1])
    within_SSN = _where_alike(classes[0], classes[0])
    rank_cross = _cross_pairs(np.einsum("snc,tnc->stn", *ranks) * cross_STN)
    top_cross = _cross_pairs(_overlap(*tops) * cross_STN)
    rank_within = _own_pairs(np.einsum("snc,tnc->stn", ranks[0], ranks[0]) * within_SSN)
    top_within = _own_pairs(_overlap(tops[0], tops[0]) * within_SSN)
    found = _estimate(rank_cross, counts, least=-1), _estimate(top_cross, counts, least=0)
    if found[0] is None or found[1] is None:
        return None
    return MapAgreement(
        baseline=baseline,
        method=method,
        spearman=found[0],
        top_overlap=found[1],
        seed_spearman=_estimate(rank_within, counts, least=-1),
        seed_top_overlap=_estimate(top_within, counts, least=0),
        below_seeds=_estimate(
            lambda keep_S, keep_T: rank_within(keep_S, keep_T) - rank_cross(keep_S, keep_T),
            counts,
            least=-2,
            most=2,
        ),
    )


def _to_common_grid(first: Float32Array, second: Float32Array) -> tuple[Float32Array, Float32Array]:
    height, width = (min(pair) for pair in zip(first.shape[2:], second.shape[2:], strict=True))
    return _shrink(first, height, width), _shrink(second, height, width)


def _shrink(maps_SNhw: Float32Array, height: int, width: int) -> Float32Array:
    if maps_SNhw.shape[2:] == (height, width):
        return maps_SNhw
    shrunk = np.empty((*maps_SNhw.shape[:2], height, width), np.float32)
    for place in np.ndindex(*maps_SNhw.shape[:2]):
        shrunk[place] = cv2.resize(maps_SNhw[place], (width, height), interpolation=cv2.INTER_AREA)
    return shrunk


def _where_alike(first_SN: npt.NDArray[Any], second_TN: npt.NDArray[Any]) -> Float64Array:
    """1 where two models predict the same class, NaN elsewhere, S x T x N."""
    return np.where(first_SN[:, None] == second_TN[None], 1.0, np.nan)


def _standard_ranks(maps: Float32Array) -> Float64Array:
    """Ranks of the cells, mean 0 and length 1, ... x c; NaN for a constant map."""
    from scipy import stats  # late: it takes a second to load

    ranks = stats.rankdata(maps.reshape(*maps.shape[:-2], -1), axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(ranks, axis=-1, keepdims=True)
    standard: Float64Array = ranks / np.where(length > 0, length, np.nan)
    return standard


def _top_cells(maps: Float32Array) -> BoolArray:
    """Which cells belong to the top fifth, ... x c; none of a blank map."""
    cells = maps.reshape(*maps.shape[:-2], -1)
    n_top = max(1, round(TOP_SHARE * cells.shape[-1]))
    threshold = np.partition(cells, -n_top, axis=-1)[..., -n_top, None]
    top: BoolArray = (cells >= threshold) & (cells > 0)
    return top


def _overlap(first_SNc: BoolArray, second_TNc: BoolArray) -> Float64Array:
    """Intersection over union of every pair of models, S x T x N."""
    first, second = first_SNc.astype(np.float64), second_TNc.astype(np.float64)
    shared_STN = np.einsum("snc,tnc->stn", first, second)
    sizes_STN = first.sum(axis=2)[:, None] + second.sum(axis=2)[None] - shared_STN
    is_known_STN = (first.max(axis=2)[:, None] * second.max(axis=2)[None]) > 0
    overlap: Float64Array = np.where(is_known_STN, shared_STN / np.maximum(sizes_STN, 1), np.nan)
    return overlap


def _cross_pairs(values_STN: Float64Array) -> Similarity:
    """Mean per image over the pairs of kept models, one of each method."""
    n_first, n_second = values_STN.shape[:2]
    paired_ST = np.ones((n_first, n_second), bool)
    if n_first > 1 and n_second > 1:
        np.fill_diagonal(paired_ST, False)
    return lambda keep_S, keep_T: _mean_known(values_STN[paired_ST & keep_S[:, None] & keep_T])


def _own_pairs(values_SSN: Float64Array) -> Similarity:
    """Mean per image over the pairs of kept models of the baseline."""
    paired_SS = np.triu(np.ones(values_SSN.shape[:2], bool), k=1)
    return lambda keep_S, _keep_T: _mean_known(values_SSN[paired_SS & keep_S[:, None] & keep_S])


def _mean_known(values_PN: Float64Array) -> Float64Array:
    """Mean over the pairs with a value; NaN for images without any."""
    known = ~np.isnan(values_PN)
    sums = np.where(known, values_PN, 0).sum(axis=0)
    counts = known.sum(axis=0)
    means: Float64Array = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _estimate(
    similarity: Similarity, counts: tuple[int, int], *, least: float, most: float = 1.0
) -> Estimate | None:
    """Mean over images, with a t interval for new images and models."""
    everyone = np.ones(counts[0], bool), np.ones(counts[1], bool)
    known_N = similarity(*everyone)
    known_N = known_N[~np.isnan(known_N)]
    n = len(known_N)
    if n == 0:
        return None
    images = float(known_N.var(ddof=1)) / n if n > 1 else 0.0
    models = [_jackknife(similarity, everyone, side) for side in (0, 1)]
    spread = sum(v**2 / (count - 1) for v, count in zip(models, counts, strict=True) if v > 0)
    freedom = sum(models) ** 2 / spread if spread > 0 else 0.0
    return t_estimate(
        float(known_N.mean()),
        MeanVariance(images, sum(models)),
        n=n,
        n_models=1 + int(freedom),
        least=least,
        most=most,
    )


def _jackknife(similarity: Similarity, everyone: tuple[BoolArray, BoolArray], side: int) -> float:
    """Variance of the mean due to the models of one side; 0 where leaving one out leaves no pair.

    Source: Efron and Stein 1981 (the jackknife estimate of variance, for statistics of pairs).
    """
    n_models = len(everyone[side])
    means = []
    for left_out in range(n_models):
        keep = [flags.copy() for flags in everyone]
        keep[side][left_out] = False
        values_N = similarity(keep[0], keep[1])
        if np.isnan(values_N).all():
            return 0.0
        means.append(float(np.nanmean(values_N)))
    return float((n_models - 1) / n_models * np.square(np.array(means) - np.mean(means)).sum())
