"""Object against background, and whose mistakes the model's mistakes are.

Shape legend: S models (seeds), N images, K classes, B draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.records.evaluation import ColorAgreement
from pipeline.statistics.comparison.paired import redraw_means
from pipeline.statistics.intervals import MeanVariance, estimate_from_variance

N_BOOTSTRAP = 2000
N_PERMUTATIONS = 1999
_CONFIDENCE = 0.95
_CHUNK = 2_000_000  # drawn numbers held in memory at a time


def foreground_sensitivity(
    object_right_SN: BoolArray,
    background_right_SN: BoolArray,
    labels_N: Int64Array,
    *,
    seed: int,
    sources_N: Int64Array | None = None,
) -> Estimate | None:
    """Relative foreground sensitivity (a_F - a_B) / (2 min(a, 1 - a)), in [-1, 1].

    a_F is the accuracy where only the object is intact, a_B where only the background is, a their
    mean. A difference of accuracies cannot be large where their mean is near 0 or 1; divided by the
    largest one that the mean allows, models of different quality compare. +1: right by the object
    alone; -1: by the background alone; 0: both serve alike, or neither.

    Accuracies are means over the true classes: a model that falls back to the most common class when
    a part is missing would else be right by that part's absence. The interval is a bootstrap over
    images (within classes) and seeds. None where a is 0 or 1: both changes leave every prediction
    right, or none, and 0 / 0 says nothing about either part.

    Args:
        object_right_SN: whether model s is right on image n with its background replaced.
        background_right_SN: the same with its object removed.
        sources_N: scene or patient of each image; whole ones are redrawn.

    Raises:
        InputError: shapes that do not agree, or no images.
    Source: Moayeri et al. 2022 (arXiv:2201.10766), there with classes of equal size.
    """
    background_B, object_B = redraw_means(
        background_right_SN,
        object_right_SN,
        labels_N,
        seed=seed,
        equal_groups=True,
        sources_N=sources_N,
    )
    a_F, a_B = (_class_mean(right_SN, labels_N) for right_SN in (object_right_SN, background_right_SN))
    if object_right_SN.mean() + background_right_SN.mean() in (0, 2):
        return None
    value = float(_relative_difference(np.array([a_F]), np.array([a_B]))[0])
    draws_B = _relative_difference(object_B, background_B)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(draws_B, [tail, 1 - tail])
    return Estimate(
        value=value, low=min(float(low), value), high=max(float(high), value), n=object_right_SN.shape[1]
    )


def _class_mean(right_SN: BoolArray, labels_N: Int64Array) -> float:
    return float(np.mean([right_SN[:, labels_N == label].mean() for label in np.unique(labels_N)]))


def _relative_difference(a_F: Float64Array, a_B: Float64Array) -> Float64Array:
    """The formula, 0 where it is 0 / 0. Means of redrawn seeds, which are widened, may leave [0, 1]."""
    a_F, a_B = np.clip(a_F, 0, 1), np.clip(a_B, 0, 1)
    mean = (a_F + a_B) / 2
    most = 2 * np.minimum(mean, 1 - mean)
    relative = np.divide(a_F - a_B, most, out=np.zeros_like(mean), where=most > 0)
    clipped: Float64Array = np.clip(relative, -1, 1)
    return clipped


def color_agreement(
    predicted_SN: Int64Array, labels_N: Int64Array, color_N: Int64Array, *, seed: int
) -> ColorAgreement | None:
    """Do the model's mistakes follow a classifier that sees color only. None without mistakes.

    `share`: of the mistakes of all seeds, those where color names the same wrong class (with two
    classes: where color is wrong too). A color classifier that often names some class agrees with
    many mistakes by chance, so `expected` is the exact mean share when color's predictions are
    permuted among the images of each true class: mistakes towards a class that both find likely
    for this label agree no more than that.

    `excess` has a bootstrap interval over images (all seeds of an image together), `share` a Wilson
    interval with the images' effective number, so that seeds that repeat a mistake count once. The
    p-value is the share of permutations with as much agreement, (1 + #>=) / (B + 1).

    Args:
        color_N: class that color alone predicts, 0..K-1.

    Raises:
        InputError: sizes that do not agree.
    """
    if predicted_SN.ndim != 2 or not predicted_SN.shape[1] == len(labels_N) == len(color_N):
        raise InputError(
            f"predictions of shape {predicted_SN.shape} cannot be compared with {len(labels_N)} labels and "
            f"{len(color_N)} color-only predictions: all must be of the same test images, in their order."
        )
    # In an order of the values alone, so that shuffled rows give the same draws.
    order = np.lexsort((*predicted_SN, color_N, labels_N))
    predicted_SN, labels_N, color_N = predicted_SN[:, order], labels_N[order], color_N[order]
    is_wrong_SN = predicted_SN != labels_N
    if not is_wrong_SN.any():
        return None
    mistakes = _count(predicted_SN, labels_N, color_N)
    rng = np.random.default_rng(seed)
    total = float(mistakes.n_N.sum())
    share, expected = float(mistakes.agree_N.sum()) / total, float(mistakes.expected_N.sum()) / total
    spread = float(((mistakes.agree_N - share * mistakes.n_N) ** 2).sum()) / total**2
    return ColorAgreement(
        n_errors=int(total),
        share=estimate_from_variance(
            share,
            MeanVariance(images=spread, seeds=0.0),
            n=int(np.count_nonzero(mistakes.n_N)),
            n_seeds=1,
            confidence=_CONFIDENCE,
        ),
        expected=expected,
        excess=_bootstrap_excess(mistakes, share, expected, rng),
        p_value=_permutation_p(predicted_SN, labels_N, color_N, rng),
    )


class _Mistakes(NamedTuple):
    """Per image, summed over seeds. The sums of `pull_N` and of agree - expected are the same."""

    n_N: Float64Array
    agree_N: Float64Array  # color names the same wrong class
    expected_N: Float64Array  # ... on average over permutations of color within the true class
    pull_N: Float64Array  # what the image adds to the within-class covariance of mistake and color


def _count(predicted_SN: Int64Array, labels_N: Int64Array, color_N: Int64Array) -> _Mistakes:
    """How mistakes and color's predictions go together within each true class.

    agree - expected, summed, is a covariance of two indicators (mistaken for k, color says k) within
    classes, summed over k. `pull_N` is its term of one image, with both indicators centered: the
    bootstrap then knows that the expected share is an estimate too.
    """
    n_classes = 1 + int(max(predicted_SN.max(), labels_N.max(), color_N.max()))
    is_wrong_SN = predicted_SN != labels_N
    size_K = np.maximum(np.bincount(labels_N, minlength=n_classes), 1)[:, None]
    color_KK, mistake_KK = np.zeros((n_classes, n_classes)), np.zeros((n_classes, n_classes))
    np.add.at(color_KK, (labels_N, color_N), 1.0)
    for predicted_N, is_wrong_N in zip(predicted_SN, is_wrong_SN, strict=True):
        np.add.at(mistake_KK, (labels_N, predicted_N), is_wrong_N.astype(np.float64))
    color_KK, mistake_KK = color_KK / size_K, mistake_KK / size_K
    agree_N = (is_wrong_SN & (predicted_SN == color_N)).sum(axis=0).astype(np.float64)
    expected_N = (is_wrong_SN * color_KK[labels_N, predicted_SN]).sum(axis=0)
    by_chance_K = (color_KK * mistake_KK).sum(axis=1)
    pull_N = agree_N - expected_N - mistake_KK[labels_N, color_N] + by_chance_K[labels_N]
    return _Mistakes(is_wrong_SN.sum(axis=0).astype(np.float64), agree_N, expected_N, pull_N)


def _bootstrap_excess(
    mistakes: _Mistakes, share: float, expected: float, rng: np.random.Generator
) -> Estimate:
    """Ratio of sums over redrawn images.

    Four mistakes are added that agree by chance only: without them a handful of mistakes that all
    agree, or do not, would leave no doubt.

    Source: Agresti and Coull 1998 (four added trials, for a proportion and a normal interval).
    """
    n = len(mistakes.n_N)
    pull_M, weight_M = (np.append(values, np.zeros(4)) for values in (mistakes.pull_N, mistakes.n_N))
    draws: list[Float64Array] = []
    step = max(1, _CHUNK // len(pull_M))
    for start in range(0, N_BOOTSTRAP, step):
        drawn_bM = rng.integers(n + 4, size=(min(step, N_BOOTSTRAP - start), n + 4))
        added_b = (drawn_bM >= n).sum(axis=1)
        pull_b = pull_M[drawn_bM].sum(axis=1) + rng.binomial(added_b, min(expected, 1.0)) - expected * added_b
        total_b = weight_M[drawn_bM].sum(axis=1) + added_b
        draws.append(pull_b[total_b > 0] / total_b[total_b > 0])
    draws_B = np.concatenate(draws)
    excess, tail = share - expected, (1 - _CONFIDENCE) / 2
    low, high = np.quantile(draws_B, [tail, 1 - tail])
    return Estimate(
        value=excess,
        low=min(max(float(low), -1.0), excess),
        high=max(min(float(high), 1.0), excess),
        n=int(np.count_nonzero(mistakes.n_N)),
    )


def _permutation_p(
    predicted_SN: Int64Array, labels_N: Int64Array, color_N: Int64Array, rng: np.random.Generator
) -> float:
    """One-sided: color's predictions permuted among the images of each true class."""
    is_wrong_SN = predicted_SN != labels_N
    observed = int((is_wrong_SN & (predicted_SN == color_N)).sum())
    agree_B = np.zeros(N_PERMUTATIONS, np.int64)
    for label in np.unique(labels_N[is_wrong_SN.any(axis=0)]):
        members = np.flatnonzero(labels_N == label)
        step = max(1, _CHUNK // len(members))
        for start in range(0, N_PERMUTATIONS, step):
            part = slice(start, min(start + step, N_PERMUTATIONS))
            same = np.broadcast_to(color_N[members], (part.stop - start, len(members)))
            permuted_bn = rng.permuted(same, axis=1)
            for predicted_N, is_wrong_N in zip(predicted_SN, is_wrong_SN, strict=True):
                wrong = np.flatnonzero(is_wrong_N[members])
                agree_B[part] += (permuted_bn[:, wrong] == predicted_N[members[wrong]]).sum(axis=1)
    return float((1 + np.count_nonzero(agree_B >= observed)) / (N_PERMUTATIONS + 1))
