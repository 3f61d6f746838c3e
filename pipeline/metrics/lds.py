"""Linear datamodeling score: do summed scores foretell the margins of models trained on subsets?

For each target the Spearman correlation, over random subsets of the training images, between the sum of
its scores over a subset and its margin after training on that subset; averaged over targets.

Shape legend: N training images, T targets, M subsets, R trainings of each, K classes, P predictors,
B bootstrap draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.core.results import Estimate, Lds
from pipeline.core.types import BoolArray, Float64Array, Int64Array

N_BOOTSTRAP = 1000
MIN_SUBSETS = 5  # below it a correlation over subsets is no evidence
_TAIL = 0.025
_VALUES_AT_ONCE = 1_000_000  # of one matrix of the bootstrap

AnyFloats = npt.NDArray[Any]


class Prediction(NamedTuple):
    """One predictor's score with its interval, and what its draws say in pairs."""

    estimate: Estimate
    draws_B: Float64Array


def lds_record(
    predicted_TM: AnyFloats,
    actual_TMR: AnyFloats,
    *,
    labels_T: Int64Array,
    train_labels_N: Int64Array,
    members_MN: BoolArray,
    seed: int,
    grad_cosine_TM: AnyFloats | None = None,
    baselines: Mapping[str, AnyFloats] | None = None,
) -> Lds:
    """The score of `predicted_TM` beside baselines, with intervals for new targets and subsets.

    Args:
        predicted_TM: sums of scores over each subset.
        actual_TMR: the targets' margins after each training.
        members_MN: which training images each subset has.
        baselines: further predictors to lead over, such as another estimator's sums.

    Raises:
        InputError: shapes that do not agree, fewer than `MIN_SUBSETS` subsets, or no target whose margin
            differs between subsets.
    """
    others = {
        "random": random_sums(members_MN, len(labels_T), seed=seed),
        "same_class": same_class_sums(members_MN, train_labels_N, labels_T),
    }
    if grad_cosine_TM is not None:
        others["grad_cosine"] = grad_cosine_TM
    predictors = {"scores": predicted_TM, **others, **(baselines or {})}
    found = score_predictors(predictors, actual_TMR, seed=seed)
    own = found["scores"]
    n_subsets, repeats = actual_TMR.shape[1:]
    return Lds(
        value=own.estimate.value,
        low=own.estimate.low,
        high=own.estimate.high,
        n_subsets=n_subsets,
        n_targets=own.estimate.n,
        repeats=repeats,
        share=float(members_MN.mean()),
        ceiling=noise_ceiling(actual_TMR),
        random=found["random"].estimate.value,
        same_class=found["same_class"].estimate.value,
        grad_cosine=found["grad_cosine"].estimate.value if "grad_cosine" in found else None,
        lead={name: _lead(own, found[name], n_subsets) for name in predictors if name != "scores"},
    )


def same_class_sums(members_MN: BoolArray, train_labels_N: Int64Array, labels_T: Int64Array) -> Float64Array:
    """How many images of the target's class each subset has, T x M: the least that scores must beat."""
    n_classes = int(max(train_labels_N.max(), labels_T.max())) + 1
    one_hot_NK = (train_labels_N[:, None] == np.arange(n_classes)).astype(np.float64)
    counts_MK = members_MN.astype(np.float64) @ one_hot_NK
    sums_TM: Float64Array = counts_MK.T[labels_T]
    return sums_TM


def random_sums(members_MN: BoolArray, n_targets: int, *, seed: int) -> Float64Array:
    """Sums of standard normal scores over each subset, T x M.

    Drawn as what they are, normal with the subsets' overlaps as covariance: N x T scores are never made.
    """
    members = members_MN.astype(np.float64)
    overlaps_MM = members @ members.T
    values_M, vectors_MM = np.linalg.eigh(overlaps_MM)
    root_MM = vectors_MM * np.sqrt(np.clip(values_M, 0, None))
    sums_TM: Float64Array = np.random.default_rng(seed).standard_normal((n_targets, len(members))) @ root_MM.T
    return sums_TM


def score_predictors(
    predictors: Mapping[str, AnyFloats], actual_TMR: AnyFloats, *, seed: int
) -> dict[str, Prediction]:
    """The score of every predictor, their bootstrap draws paired.

    Targets and subsets are both redrawn (crossed). A subset's rank stays the one among all subsets:
    ranking every draw anew would take hours and add ties. Draws vary as much as M - 1 subsets let them,
    and are widened to Student's t with M - 1 degrees of freedom.

    A predictor that is the same for all subsets scores 0 on that target; a target whose margin is the
    same for all subsets is left out.

    Raises:
        InputError: as `lds_record`.
    Source: Owen 2007, Annals of Applied Statistics 1:386 (bootstrap of both ways of a table).
    """
    _check(predictors, actual_TMR)
    mean_TM = actual_TMR.mean(axis=2, dtype=np.float64)
    told_T = np.ptp(mean_TM, axis=1) > 0
    if not told_T.any():
        raise InputError("no target's margin differs between subsets: nothing can be correlated with it.")
    actual_TM = _standard_ranks(mean_TM[told_T])
    ranks = {name: _standard_ranks(values_TM[told_T]) for name, values_TM in predictors.items()}
    n_targets, n_subsets = actual_TM.shape
    rng = np.random.default_rng(seed)
    subset_weights_BM = rng.multinomial(n_subsets, np.full(n_subsets, 1 / n_subsets), size=N_BOOTSTRAP)
    target_weights_BT = rng.multinomial(n_targets, np.full(n_targets, 1 / n_targets), size=N_BOOTSTRAP)
    found = {}
    for name, ranks_TM in ranks.items():
        value = float((ranks_TM * actual_TM).sum(axis=1).mean())
        draws_B = _redraw(ranks_TM, actual_TM, subset_weights_BM, target_weights_BT)
        found[name] = Prediction(_interval(value, draws_B, n_targets, n_subsets, bound=1.0), draws_B)
    return found


def spearman(first_TM: AnyFloats, second_TM: AnyFloats) -> Float64Array:
    """Spearman correlation of each row with the same row; 0 where a row is constant."""
    correlation_T: Float64Array = (_standard_ranks(first_TM) * _standard_ranks(second_TM)).sum(axis=1)
    return correlation_T


def noise_ceiling(actual_TMR: AnyFloats) -> float | None:
    """The score of a predictor that knows every subset's expected margin; None with one repeat.

    Two trainings of the same subset differ by chance. If r is the correlation of two repeats over
    subsets, the mean of R has reliability R r / (1 + (R - 1) r) (Spearman-Brown), the share of its
    variance that is the subset's; the correlation of the mean with that part is its square root.

    That holds for Pearson correlations. Rank correlations of normal values go over into them and back by
    Pearson's relation r = 2 sin(pi s / 6). Each target's r is drawn to the mean over targets by its
    sampling error: of M subsets it is too uncertain for a square root.

    Source: Spearman 1910; Pearson 1907 for the relation.
    """
    n_subsets, repeats = actual_TMR.shape[1:]
    if repeats < 2:
        return None
    told_T = np.ptp(actual_TMR.mean(axis=2), axis=1) > 0
    ranks_RTM = [_standard_ranks(actual_TMR[told_T, :, r]) for r in range(repeats)]
    pairs = [(a, b) for a in range(repeats) for b in range(a)]
    agreement_T = np.mean([(ranks_RTM[a] * ranks_RTM[b]).sum(axis=1) for a, b in pairs], axis=0)
    single_T = 2 * np.sin(np.pi / 6 * _shrink(agreement_T, n_subsets, len(pairs)))
    reliability_T = repeats * single_T / (1 + (repeats - 1) * single_T)
    ceiling_T = 6 / np.pi * np.arcsin(np.sqrt(np.clip(reliability_T, 0, 1)) / 2)
    return float(ceiling_T.mean())


def _shrink(correlations_T: Float64Array, n_subsets: int, n_pairs: int) -> Float64Array:
    """Each target's correlation, drawn to their mean as far as chance explains that they differ."""
    mean = float(correlations_T.mean())
    chance = (1 - mean**2) ** 2 / max(n_subsets - 1, 1) / n_pairs
    spread = float(correlations_T.var())
    kept = max(0.0, 1 - chance / spread) if spread > 0 else 0.0
    drawn_T: Float64Array = np.clip(mean + kept * (correlations_T - mean), 0.0, 1.0)
    return drawn_T


def _standard_ranks(values_TM: AnyFloats) -> Float64Array:
    """Ranks of each row with mean 0 and length 1, so that products sum to correlations; 0 if constant."""
    ranks_TM = stats.rankdata(values_TM, axis=1) - (values_TM.shape[1] + 1) / 2
    lengths_T = np.linalg.norm(ranks_TM, axis=1, keepdims=True)
    standard_TM: Float64Array = np.divide(
        ranks_TM, lengths_T, out=np.zeros_like(ranks_TM), where=lengths_T > 0
    )
    return standard_TM


def _redraw(
    first_TM: Float64Array,
    second_TM: Float64Array,
    subset_weights_BM: Int64Array,
    target_weights_BT: Int64Array,
) -> Float64Array:
    """Weighted mean over targets of the weighted correlations over subsets, for every draw."""
    n_targets, n_subsets = first_TM.shape
    weights_BM = subset_weights_BM / n_subsets
    total_B = np.zeros(len(weights_BM))
    step = max(1, _VALUES_AT_ONCE // len(weights_BM))
    for start in range(0, n_targets, step):
        x, y = first_TM[start : start + step], second_TM[start : start + step]
        mean_x, mean_y = weights_BM @ x.T, weights_BM @ y.T
        covariance_BT = weights_BM @ (x * y).T - mean_x * mean_y
        squared_BT = (weights_BM @ (x * x).T - mean_x**2) * (weights_BM @ (y * y).T - mean_y**2)
        # a draw of equal ranks only, or rounding of one, has no correlation
        lengths_BT = np.sqrt(np.clip(squared_BT, 0, None))
        known = lengths_BT > 1e-12 / n_subsets
        correlation_BT = np.divide(covariance_BT, lengths_BT, out=np.zeros_like(lengths_BT), where=known)
        total_B += (correlation_BT * target_weights_BT[:, start : start + step]).sum(axis=1)
    mean_B: Float64Array = total_B / n_targets
    return mean_B


def _lead(own: Prediction, other: Prediction, n_subsets: int) -> Estimate:
    value = own.estimate.value - other.estimate.value
    return _interval(value, own.draws_B - other.draws_B, own.estimate.n, n_subsets, bound=2.0)


def _interval(value: float, draws_B: Float64Array, n: int, n_subsets: int, *, bound: float) -> Estimate:
    """Percentiles of the draws about `value`, widened for few subsets, within [-bound, bound]."""
    student = float(stats.t.isf(_TAIL, n_subsets - 1) / stats.norm.isf(_TAIL))
    widening = student * math.sqrt(n_subsets / (n_subsets - 1))
    low, high = value + widening * (np.quantile(draws_B, [_TAIL, 1 - _TAIL]) - draws_B.mean())
    return Estimate(
        value=value, low=max(-bound, min(float(low), value)), high=min(bound, max(float(high), value)), n=n
    )


def _check(predictors: Mapping[str, AnyFloats], actual_TMR: AnyFloats) -> None:
    if actual_TMR.ndim != 3 or 0 in actual_TMR.shape:
        raise InputError(f"margins of shape {actual_TMR.shape}: needs targets x subsets x repeats.")
    if actual_TMR.shape[1] < MIN_SUBSETS:
        raise InputError(
            f"{actual_TMR.shape[1]} subsets are too few for a correlation: set retrain.subsets to "
            f"{MIN_SUBSETS} or more, 32 to be of use."
        )
    for name, values_TM in predictors.items():
        if values_TM.shape != actual_TMR.shape[:2]:
            raise InputError(
                f"{name} has predictions of shape {values_TM.shape} for margins of {actual_TMR.shape[:2]}."
            )
