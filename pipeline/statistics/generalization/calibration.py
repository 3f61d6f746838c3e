"""Whether a model is right as often as it says, without what chance adds to the answer.

An expected calibration error (ECE) is a mean of absolute gaps, so noise alone makes it positive: a model that
is right exactly as often as it says shows .07 on 133 images. `ece_debiased` is 0 on average for such a model;
`ece_floor` says what the plain number would be.

Shape legend: S seeds, N images, K classes, B bins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.statistics.distributions import normal_cdf
from pipeline.statistics.intervals import wilson

MOST_BINS, LEAST_IN_BIN = 10, 40
N_DRAWS = 200  # of calibrated models
_CERTAIN = 8.0  # standard errors beyond which a gap is as large as it looks
_GRID = 513  # points on [0, 1] that smooth errors are taken on
_NARROWEST = 0.001  # bandwidth
_HOTTEST = 5.0  # natural logarithm of the largest temperature


class BinnedGaps(NamedTuple):
    """Of each seed's bins; a bin without images has 0 of each."""

    n_SB: Float64Array  # images
    gap_SB: Float64Array  # mean confidence minus accuracy
    noise_SB: Float64Array  # variance of the gap if the model is right as often as it says


class ReliabilityCurve(NamedTuple):
    """Accuracy by confidence, of the bins that hold images."""

    confidence_B: Float64Array  # mean
    accuracy_B: Float64Array
    n_B: Int64Array  # images, however many seeds answered
    low_B: Float64Array  # of the accuracy, Wilson's 95 %
    high_B: Float64Array


def bin_count(n: int) -> int:
    """Bins for n images: at most 10, of at least 40 images.

    >>> bin_count(130), bin_count(5), bin_count(10_000)
    (3, 1, 10)
    """
    return max(1, min(MOST_BINS, n // LEAST_IN_BIN))


def equal_mass_bins(confidence_SN: Float64Array, n_bins: int | None = None) -> Int64Array:
    """Bins of about equally many images, S x N, 0 to `n_bins` - 1 by rising confidence.

    Images of one confidence share a bin, that of the middle one: their order never matters.

    >>> equal_mass_bins(np.array([[0.5, 0.9, 0.6, 1.0, 1.0, 1.0]]), 3).tolist()
    [[0, 1, 0, 2, 2, 2]]
    """
    n_seeds, n = confidence_SN.shape
    n_bins = n_bins or bin_count(n)
    order_SN = np.argsort(confidence_SN, axis=1, kind="stable")
    bins_SN = np.empty((n_seeds, n), np.int64)
    np.put_along_axis(bins_SN, order_SN, tie_middles(confidence_SN, order_SN) * n_bins // n, axis=1)
    return bins_SN


def tie_middles(values_SN: Float64Array, order_SN: Int64Array) -> Int64Array:
    """In the sorted order of each row: the place, from 0, of the middle one of those with the same value."""
    first, sizes, n = tie_runs(values_SN, order_SN)
    middles: Int64Array = np.repeat((first + (sizes - 1) // 2) % n, sizes).reshape(values_SN.shape)
    return middles


def tie_runs(values_SN: Float64Array, order_SN: Int64Array) -> tuple[Int64Array, Int64Array, int]:
    """Runs of equal values in the sorted rows laid end to end: where each begins and its length; and N."""
    sorted_SN = np.take_along_axis(values_SN, order_SN, axis=1)
    is_first_SN = np.ones(sorted_SN.shape, bool)
    is_first_SN[:, 1:] = sorted_SN[:, 1:] != sorted_SN[:, :-1]
    first = np.flatnonzero(is_first_SN)
    return first, np.diff(np.append(first, sorted_SN.size)), sorted_SN.shape[1]


def binned_gaps(confidence_SN: Float64Array, right_SN: Float64Array, n_bins: int | None = None) -> BinnedGaps:
    """Gaps between confidence and accuracy in bins of about equally many images.

    Args:
        confidence_SN: probability that a seed gives the class it names, 0 to 1, both ends included.
        right_SN: 1 where that is the image's class, else 0.
    """
    _check(confidence_SN, right_SN)
    n_seeds, n = confidence_SN.shape
    n_bins = n_bins or bin_count(n)
    flat = (equal_mass_bins(confidence_SN, n_bins) + n_bins * np.arange(n_seeds)[:, None]).ravel()
    n_SB, gap_SB, spread_SB = (
        np.bincount(flat, weights, n_seeds * n_bins).reshape(n_seeds, n_bins)
        for weights in (
            None,
            (confidence_SN - right_SN).ravel(),
            (confidence_SN * (1 - confidence_SN)).ravel(),
        )
    )
    at_least_1_SB = np.maximum(n_SB, 1)
    return BinnedGaps(n_SB.astype(np.float64), gap_SB / at_least_1_SB, spread_SB / at_least_1_SB**2)


def ece_plain(confidence_SN: Float64Array, right_SN: Float64Array, n_bins: int | None = None) -> Float64Array:
    """Expected calibration error of each seed: mean over images of their bin's absolute gap, S.

    It is larger than 0 for every finite number of images: see `ece_floor`.

    Source: Guo et al. 2017; bins of equally many images by Nguyen and O'Connor 2015.

    >>> ece_plain(np.full((1, 100), 0.9), (np.arange(100) < 70)[None] * 1.0).round(3).tolist()
    [0.2]
    """
    n_SB, gap_SB, _ = binned_gaps(confidence_SN, right_SN, n_bins)
    error_S: Float64Array = (n_SB * np.abs(gap_SB)).sum(axis=1) / confidence_SN.shape[1]
    return error_S


def ece_debiased(
    confidence_SN: Float64Array, right_SN: Float64Array, n_bins: int | None = None
) -> Float64Array:
    """Expected calibration error of each seed without the part of sampling noise, S; it may be below 0.

    Were a bin split at random, the gap of one part with the sign of the other part's would be 0 on average
    for a calibrated model, since nothing ties the two signs together. `_of_splits` averages it over all
    splits.

    It is 0 on average for a calibrated model, and the error where gaps are beyond three standard errors.
    Between these it is too small, by less than .35 standard errors of a bin, where the plain error is too
    large: intervals of bootstrap spread then hold in nine cases of ten rather than in 95 %.

    Source: Broecker 2012 and Kumar, Liang and Ma 2019 (noise is subtracted in each bin). They do it for
        squared gaps, where it is exact; Kumar's subtraction for absolute gaps leaves more than half of the
        noise of a calibrated model.

    >>> ece_debiased(np.full((1, 1000), 0.9), (np.arange(1000) < 700)[None] * 1.0, 1).round(3).tolist()
    [0.2]
    """
    n_SB, gap_SB, noise_SB = binned_gaps(confidence_SN, right_SN, n_bins)
    error_SB = np.sqrt(noise_SB)
    size_SB = np.abs(gap_SB)
    z_SB = np.divide(size_SB, error_SB, out=np.full_like(gap_SB, _CERTAIN), where=error_SB > 0)
    left_SB = np.where(z_SB < _CERTAIN, error_SB * _of_splits(z_SB), size_SB)
    found_S: Float64Array = (n_SB * left_SB).sum(axis=1) / confidence_SN.shape[1]
    return found_S


def _of_splits(z_SB: Float64Array) -> Float64Array:
    """What is left of gaps of z standard errors, in standard errors, the noise being normal.

    With the sign of a share f of the images it is z (2 Phi(z / t) - 1) - 2 / t phi(z / t), t^2 = (1 - f) / f,
    whose mean is the true gap times (2 Phi(sqrt(f) gap) - 1). Twice that of f = 4/5 minus that of f = 1/2
    (Richardson's extrapolation) has a third less bias than either, so that intervals hold.
    """
    phi_SB = np.exp(-0.5 * z_SB**2) / math.sqrt(2 * math.pi)
    phi_of_double_SB = np.exp(-2 * z_SB**2) / math.sqrt(2 * math.pi)
    most_SB = z_SB * (2 * normal_cdf(2 * z_SB) - 1) - 4 * phi_of_double_SB
    half_SB = z_SB * (2 * normal_cdf(z_SB) - 1) - 2 * phi_SB
    left_SB: Float64Array = 2 * most_SB - half_SB
    return left_SB


def ece_floor(confidence_SN: Float64Array, n_bins: int | None = None, *, seed: int = 0) -> float:
    """The plain error that a model with these confidences would show if it were right as often as it says.

    Mean over seeds and `N_DRAWS` simulated sets of answers.

    >>> round(ece_floor(np.linspace(0.75, 1, 133)[None], 10), 2)
    0.07
    """
    rng = np.random.default_rng(seed)
    means = []
    n = confidence_SN.shape[1]
    n_bins = n_bins or bin_count(n)
    for confidence_N, bins_N in zip(confidence_SN, equal_mass_bins(confidence_SN, n_bins), strict=True):
        right_DN = rng.random((N_DRAWS, n)) < confidence_N
        gaps_DB = (confidence_N - right_DN) @ np.eye(n_bins)[bins_N]
        means.append(np.abs(gaps_DB).sum(axis=1).mean() / n)
    return float(np.mean(means))


def smooth_ece(confidence_SN: Float64Array, right_SN: Float64Array) -> Float64Array:
    """Smooth calibration error of each seed, S: no bins, a kernel whose width is the error itself.

    Residuals (right minus confidence) are smoothed by a normal kernel that is reflected at 0 and 1; the error
    is the integral of their absolute value. It falls as the kernel widens; where it meets the width it is
    taken. Chance makes it positive, as it does the plain error.

    Source: Blasiok and Nakkiran 2023 (Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing).

    >>> smooth_ece(np.full((1, 400), 0.9), (np.arange(400) < 200)[None] * 1.0).round(2).tolist()
    [0.4]
    """
    from scipy.fft import dct, idct  # late: few need it

    _check(confidence_SN, right_SN)
    waves_SG = dct(_on_grid(confidence_SN, right_SN - confidence_SN), type=1, axis=1)
    frequency_G = math.pi * np.arange(_GRID)

    def error_at(width_S: Float64Array) -> Float64Array:
        damped_SG = waves_SG * np.exp(-0.5 * (frequency_G * width_S[:, None]) ** 2)
        size_SG = np.abs(idct(damped_SG, type=1, axis=1))
        size_SG[:, [0, -1]] /= 2  # the ends of the grid stand for half a cell
        error_S: Float64Array = size_SG.sum(axis=1) / confidence_SN.shape[1]
        return error_S

    low_S, high_S = np.zeros(len(confidence_SN)), np.ones(len(confidence_SN))
    for _ in range(10):
        middle_S = (low_S + high_S) / 2
        is_below_S = (middle_S < error_at(middle_S)) | (middle_S < _NARROWEST)
        low_S, high_S = np.where(is_below_S, middle_S, low_S), np.where(is_below_S, high_S, middle_S)
    return error_at(high_S)


def _on_grid(places_SN: Float64Array, masses_SN: Float64Array) -> Float64Array:
    """Masses shared between the two nearest points of a grid on [0, 1]; doubled at its ends, S x G.

    The ends are their own mirror images: everything else is there twice in a cosine transform.
    """
    exact_SN = np.clip(places_SN, 0, 1) * (_GRID - 1)
    cell_SN = np.minimum(exact_SN.astype(np.int64), _GRID - 2)
    part_SN = exact_SN - cell_SN
    flat = (cell_SN + _GRID * np.arange(len(places_SN))[:, None]).ravel()
    size = len(places_SN) * _GRID
    grid = np.bincount(flat, ((1 - part_SN) * masses_SN).ravel(), size)
    grid += np.bincount(flat + 1, (part_SN * masses_SN).ravel(), size)
    grid_SG: Float64Array = np.asarray(grid.reshape(len(places_SN), _GRID), np.float64)
    grid_SG[:, [0, -1]] *= 2
    return grid_SG


def brier_scores(log_probabilities_SNK: Float64Array, labels_N: Int64Array) -> Float64Array:
    """Brier score of every prediction, S x N: squared errors summed over all classes, 0 to 2.

    Source: Brier 1950 (the original, over all classes; for two it is twice the one of a single class).

    >>> brier_scores(np.log([[[0.8, 0.2]]]), np.array([0])).round(2).tolist()
    [[0.08]]
    """
    probabilities_SNK = np.exp(log_probabilities_SNK)
    squares_SN = (probabilities_SNK**2).sum(axis=2)
    scores_SN: Float64Array = squares_SN - 2 * _of_labels(probabilities_SNK, labels_N) + 1
    return scores_SN


def negative_log_likelihoods(log_probabilities_SNK: Float64Array, labels_N: Int64Array) -> Float64Array:
    """Natural logarithm of 1 over the probability of the image's class, S x N, in nats.

    >>> negative_log_likelihoods(np.log([[[0.5, 0.5]]]), np.array([1])).round(3).tolist()
    [[0.693]]
    """
    return -_of_labels(log_probabilities_SNK, labels_N)


def _of_labels(values_SNK: Float64Array, labels_N: Int64Array) -> Float64Array:
    found_SN: Float64Array = values_SNK[:, np.arange(len(labels_N)), labels_N]
    return found_SN


def reliability_curve(
    confidence_SN: Float64Array, right_SN: Float64Array, n_bins: int | None = None
) -> ReliabilityCurve:
    """Accuracy by confidence of all seeds' answers together, in bins of about equally many, to be drawn.

    The interval counts images, not answers: where an image misleads one seed it mostly misleads the others.
    Were the answers to each image the same, m_i of them in a bin, their mean would vary like that of
    (sum m_i)^2 / sum m_i^2 independent answers (Kish 1965): no more than the bin has images.

    >>> curve = reliability_curve(np.repeat([[0.6, 0.9]], 20, axis=1), np.tile([[1.0, 0.0]], 20), 2)
    >>> curve.confidence_B.round(2).tolist(), curve.accuracy_B.tolist(), curve.n_B.tolist()
    ([0.6, 0.9], [0.5, 0.5], [20, 20])
    """
    _check(confidence_SN, right_SN)
    n_bins = n_bins or bin_count(confidence_SN.shape[1])
    bins_SN = equal_mass_bins(confidence_SN.reshape(1, -1), n_bins).reshape(confidence_SN.shape)
    inside = [bins_SN == b for b in np.unique(bins_SN)]
    answers_BN = np.array([part.sum(axis=0) for part in inside])
    accuracy_B = np.array([right_SN[part].mean() for part in inside])
    effective_B = answers_BN.sum(axis=1) ** 2 / (answers_BN**2).sum(axis=1)
    ends = [wilson(min(p * n, n), n) for p, n in zip(accuracy_B.tolist(), effective_B.tolist(), strict=True)]
    return ReliabilityCurve(
        confidence_B=np.array([confidence_SN[part].mean() for part in inside]),
        accuracy_B=accuracy_B,
        n_B=np.count_nonzero(answers_BN, axis=1).astype(np.int64),
        low_B=np.array([low for low, _ in ends]),
        high_B=np.array([high for _, high in ends]),
    )


def fit_temperature(log_probabilities_NK: Float64Array, labels_N: Int64Array) -> float:
    """The number that outputs must be divided by to make the labels of these images most likely.

    Above 1: the model is too sure. The named class stays the same. Fit it on validation images.
    Between e^-5 and e^5, where a model that is always right (or never) ends.

    Raises:
        InputError: no images.
    Source: Guo et al. 2017 (On Calibration of Modern Neural Networks).
    """
    from scipy.optimize import minimize_scalar  # late: it takes a while to load

    if len(labels_N) == 0:
        raise InputError("A temperature is fitted on validation images, and there are 0 of them.")

    def loss(log_temperature: float) -> float:
        scaled_NK = apply_temperature(log_probabilities_NK, math.exp(log_temperature))
        return float(negative_log_likelihoods(scaled_NK[None], labels_N).mean())

    found = minimize_scalar(loss, bounds=(-_HOTTEST, _HOTTEST), method="bounded", options={"xatol": 1e-4})
    return math.exp(float(found.x))


def apply_temperature(log_probabilities_NK: Float64Array, temperature: float) -> Float64Array:
    """Natural logarithms of the probabilities at that temperature, N x K; the largest stays the largest.

    >>> np.exp(apply_temperature(np.log([[0.9, 0.1]]), 2.0)).round(2).tolist()
    [[0.75, 0.25]]
    """
    from scipy.special import log_softmax

    scaled_NK: Float64Array = log_softmax(log_probabilities_NK / temperature, axis=-1)
    return scaled_NK


def _check(confidence_SN: Float64Array, right_SN: Float64Array) -> None:
    if confidence_SN.shape != right_SN.shape or confidence_SN.ndim != 2 or 0 in confidence_SN.shape:
        raise InputError(
            f"confidences of shape {confidence_SN.shape} and answers of shape {right_SN.shape}: both must be "
            "seeds x images, at least 1 x 1."
        )
