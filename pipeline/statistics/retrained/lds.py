"""Linear datamodeling score: do summed scores foretell the margins of models trained on subsets?

For each target the Spearman correlation, over random subsets of the training images, between the sum of
its scores over a subset and its margin after training on that subset; averaged over targets.

Shape legend: N training images, T targets, M subsets, R trainings of each, K classes, P predictors,
B bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.attribution import Lds
from pipeline.records.base import Estimate
from pipeline.statistics.retrained.crossed_bootstrap import Redraw, crossed_interval, standard_ranks
from pipeline.statistics.retrained.noise_ceiling import noise_ceiling

MIN_SUBSETS = 5  # below it a correlation over subsets is no evidence

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
    group_rule_TM: AnyFloats | None = None,
    baselines: Mapping[str, AnyFloats] | None = None,
) -> Lds:
    """The score of `predicted_TM` beside baselines, with intervals for new targets and subsets.

    Args:
        predicted_TM: sums of scores over each subset.
        actual_TMR: the targets' margins after each training.
        members_MN: which training images each subset has.
        group_rule_TM: what the rule that knows groups only says, `group_rule.rule_sums`.
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
    if group_rule_TM is not None:
        others["group_rule"] = group_rule_TM
    predictors = {"scores": predicted_TM, **others, **(baselines or {})}
    found = score_predictors(predictors, actual_TMR, seed=seed)
    own = found["scores"]
    n_subsets, repeats = actual_TMR.shape[1:]
    ceiling = noise_ceiling(actual_TMR, seed=seed)
    return Lds(
        value=own.estimate.value,
        low=own.estimate.low,
        high=own.estimate.high,
        n_subsets=n_subsets,
        n_targets=own.estimate.n,
        repeats=repeats,
        share=float(members_MN.mean()),
        ceiling=None if ceiling is None else ceiling.value,
        ceiling_low=None if ceiling is None else ceiling.low,
        ceiling_high=None if ceiling is None else ceiling.high,
        random=found["random"].estimate.value,
        same_class=found["same_class"].estimate.value,
        grad_cosine=found["grad_cosine"].estimate.value if "grad_cosine" in found else None,
        group_rule=found["group_rule"].estimate.value if "group_rule" in found else None,
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
    actual_TM = standard_ranks(mean_TM[told_T])
    ranks = {name: standard_ranks(values_TM[told_T]) for name, values_TM in predictors.items()}
    n_targets, n_subsets = actual_TM.shape
    weights = Redraw.drawn(n_targets, n_subsets, seed)
    found = {}
    for name, ranks_TM in ranks.items():
        value = float((ranks_TM * actual_TM).sum(axis=1).mean())
        draws_B = np.concatenate(
            [(part.correlations(ranks_TM, actual_TM) * part.targets_BT).sum(1) for part in weights.parts()]
        )
        found[name] = Prediction(crossed_interval(value, draws_B, n_targets, n_subsets, bound=1.0), draws_B)
    return found


def spearman(first_TM: AnyFloats, second_TM: AnyFloats) -> Float64Array:
    """Spearman correlation of each row with the same row; 0 where a row is constant.

    >>> spearman(np.array([[1, 2, 3, 4]]), np.array([[1, 2, 4, 3]])).round(2).tolist()
    [0.8]
    """
    correlation_T: Float64Array = (standard_ranks(first_TM) * standard_ranks(second_TM)).sum(axis=1)
    return correlation_T


def _lead(own: Prediction, other: Prediction, n_subsets: int) -> Estimate:
    value = own.estimate.value - other.estimate.value
    return crossed_interval(value, own.draws_B - other.draws_B, own.estimate.n, n_subsets, bound=2.0)


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
