"""From a classifier's predictions to kappa with its interval, permutation p and bits.

A score is made within strata of images (for example those that share an attribute's value) and
averaged over the strata by their number of images; one stratum is the plain case.

Shape legend: N images, K classes, B permutations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.color import Predictability
from pipeline.settings.audit import ColorSettings
from pipeline.statistics.accuracy.balanced import balanced_accuracy_estimate, kappa_from_balanced
from pipeline.statistics.multiplicity import permutation_p
from pipeline.statistics.sources import SourcePermutations, design_effect

CROSS_FIT_STRETCH = math.sqrt(2)  # of deviations: see `predictability`
_LEAST_PROBABILITY = 1e-6  # of a class that the fitted images did not contain
_TABLE_CELLS = 2_000_000  # of the random tables held at a time


class Reading(NamedTuple):
    """What a fitted classifier says about images it was not fitted on."""

    predicted: Int64Array  # N
    p_true: Float64Array  # N, probability given to the true class

    def take(self, rows: Any) -> Reading:
        return Reading(self.predicted[rows], self.p_true[rows])


@dataclass(frozen=True)
class Setup:
    """What a classifier was fitted on and read on, as the record says it."""

    target: str
    fitted_on: str
    n_fitted: int
    read_on: str
    given: str | None = None
    classifier: Literal["linear", "boosted"] = "linear"


class _Stratum(NamedTuple):
    n: int
    n_classes: int
    accuracy: float  # balanced
    kappa: float
    low: float
    high: float
    bits: float


def predictability(
    reading: Reading,
    targets_N: Int64Array,
    setup: Setup,
    settings: ColorSettings,
    *,
    folds_N: Int64Array | None = None,
    strata_N: Int64Array | None = None,
    sources_N: Int64Array | None = None,
) -> Predictability:
    """Balanced accuracy, kappa with interval and permutation p, and V-information.

    Strata where one class is left say nothing and are left out. The p-value permutes the targets
    against the fixed predictions within strata, without refits, which is exact for a classifier that
    was fitted on other images.

    With `folds_N` the predictions are cross-fitted and targets are permuted within folds. That is
    exact for one fold, given the others, but folds are not independent: two folds agree by chance both
    when the first is read by the second's fit and the other way round. Without a cue this at most
    doubles the variance of the sum of folds (each pair of folds counts twice), so deviations are
    widened by `CROSS_FIT_STRETCH`, in the p-value and in the interval. Both are then cautious. Nadeau
    and Bengio 2003 (Inference for the generalization error) correct by a similar factor.

    Intervals of several strata are combined from theirs (MOVER: Zou and Donner 2008). V-information
    (Xu et al. 2020, arXiv:2002.10689) is H(Y) - cross-entropy with all classes weighted equally, as
    the classifier was fitted; below 0 it says "nothing" and is printed as 0.

    Args:
        folds_N: fold of each image where predictions are cross-fitted.
        strata_N: images of a stratum were fitted, and are scored and permuted, among themselves.
        sources_N: scene, patient or video of each image: whole sources are permuted, and intervals are
            for new sources. None: each image by itself.
    """
    stretch = 1.0 if folds_N is None else CROSS_FIT_STRETCH
    strata_N = np.zeros(len(targets_N), np.int64) if strata_N is None else strata_N
    folds_N = np.zeros(len(targets_N), np.int64) if folds_N is None else folds_N
    usable = [s for s in np.unique(strata_N) if len(np.unique(targets_N[strata_N == s])) > 1]
    kept_N = np.isin(strata_N, usable)
    n = int(kept_N.sum()) if usable else len(targets_N)
    score = _Stratum(n, len(np.unique(targets_N)), 0.0, 0.0, 0.0, 0.0, 0.0)
    p_value = 1.0
    if usable:
        reading, targets_N = reading.take(kept_N), targets_N[kept_N]
        strata_N, folds_N = strata_N[kept_N], folds_N[kept_N]
        sources_N = None if sources_N is None else sources_N[kept_N]
        score = _combine(
            [
                _score(
                    reading.take(strata_N == s),
                    targets_N[strata_N == s],
                    stretch,
                    None if sources_N is None else sources_N[strata_N == s],
                )
                for s in usable
            ],
            n_classes=len(np.unique(targets_N)),
        )
        if sources_N is None:
            tables = _confusion_tables(reading.predicted, targets_N, strata_N, folds_N)
            p_value = _permutation_p(tables, stretch, settings)
        else:
            blocks = (sources_N, strata_N, folds_N)
            p_value = _source_permutation_p(reading.predicted, targets_N, blocks, stretch, settings)
    return Predictability(
        target=setup.target,
        given=setup.given,
        classifier=setup.classifier,
        fitted_on=setup.fitted_on,
        n_fitted=setup.n_fitted,
        read_on=setup.read_on,
        n=score.n,
        n_classes=score.n_classes,
        balanced_accuracy=score.accuracy,
        kappa=score.kappa,
        low=score.low,
        high=score.high,
        p_value=p_value,
        v_information_bits=max(0.0, score.bits),
    )


def _score(reading: Reading, targets_N: Int64Array, stretch: float, sources_N: Int64Array | None) -> _Stratum:
    """One stratum's numbers; its targets have at least two classes."""
    _, codes_N, counts_K = np.unique(targets_N, return_inverse=True, return_counts=True)
    n_classes = len(counts_K)
    least = kappa_from_balanced(0, n_classes)
    hits_K = np.bincount(codes_N, weights=reading.predicted == targets_N)
    band = balanced_accuracy_estimate(hits_K, counts_K)
    if sources_N is not None:
        hit_N, recall_K = reading.predicted == targets_N, hits_K / counts_K
        deviations_N = (hit_N - recall_K[codes_N]) / counts_K[codes_N]
        variance = float((recall_K * (1 - recall_K) / counts_K).sum())
        effective_K = np.maximum(counts_K / design_effect(deviations_N, sources_N, variance), 1.0)
        band = balanced_accuracy_estimate(recall_K * effective_K, effective_K)
    log2_p_N = np.log2(np.maximum(reading.p_true, _LEAST_PROBABILITY))
    log2_p_K = np.bincount(codes_N, weights=log2_p_N) / counts_K
    kappa = kappa_from_balanced(band.value, n_classes)
    return _Stratum(
        n=len(targets_N),
        n_classes=n_classes,
        accuracy=band.value,
        kappa=kappa,
        low=max(least, kappa - stretch * (kappa - kappa_from_balanced(band.low, n_classes))),
        high=min(1.0, kappa + stretch * (kappa_from_balanced(band.high, n_classes) - kappa)),
        bits=float(np.log2(n_classes) + log2_p_K.mean()),
    )


def _combine(strata: list[_Stratum], n_classes: int) -> _Stratum:
    """Means over strata, weighted by their images."""
    n = sum(s.n for s in strata)
    kappa = sum(s.n * s.kappa for s in strata) / n
    return _Stratum(
        n=n,
        n_classes=n_classes,
        accuracy=sum(s.n * s.accuracy for s in strata) / n,
        kappa=kappa,
        low=kappa - math.hypot(*(s.n / n * (s.kappa - s.low) for s in strata)),
        high=kappa + math.hypot(*(s.n / n * (s.high - s.kappa) for s in strata)),
        bits=sum(s.n * s.bits for s in strata) / n,
    )


class _Table(NamedTuple):
    """Confusion counts of one stratum and fold, and what a hit in each class adds to kappa there."""

    counts_KK: Int64Array  # rows: true classes, columns: predicted ones
    weight_K: Float64Array


def _confusion_tables(
    predicted_N: Int64Array, targets_N: Int64Array, strata_N: Int64Array, folds_N: Int64Array
) -> list[_Table]:
    """One table per stratum and fold; hits times weights sum up to kappa times images, plus a constant."""
    tables = []
    for stratum in np.unique(strata_N):
        in_stratum_N = strata_N == stratum
        labels = np.unique(np.concatenate([targets_N[in_stratum_N], predicted_N[in_stratum_N]]))
        counts_K = np.bincount(np.searchsorted(labels, targets_N[in_stratum_N]), minlength=len(labels))
        n_classes = int((counts_K > 0).sum())
        weight_K = in_stratum_N.sum() / ((n_classes - 1) * np.maximum(counts_K, 1))
        for fold in np.unique(folds_N[in_stratum_N]):
            rows = in_stratum_N & (folds_N == fold)
            counts_KK = np.zeros((len(labels), len(labels)), np.int64)
            codes = np.searchsorted(labels, targets_N[rows]), np.searchsorted(labels, predicted_N[rows])
            np.add.at(counts_KK, codes, 1)
            tables.append(_Table(counts_KK, weight_K))
    return tables


def _permutation_p(tables: list[_Table], stretch: float, settings: ColorSettings) -> float:
    """P-value of kappa: targets shuffled within each table, predictions left alone.

    Kappa depends on the shuffled targets only through the diagonals, and a shuffled table is a random
    table with the same margins; drawing those is much faster than shuffling.
    """
    rng = np.random.default_rng(settings.seed)
    observed, expected, draws_B = 0.0, 0.0, np.zeros(settings.permutations)
    for counts_KK, weight_K in tables:
        true_K, predicted_K = counts_KK.sum(axis=1), counts_KK.sum(axis=0)
        observed += float(np.diag(counts_KK) @ weight_K)
        expected += float(true_K * predicted_K / counts_KK.sum() @ weight_K)
        draws_B += _shuffled_hits(counts_KK, settings.permutations, rng) @ weight_K
    reached_B = expected + stretch * (draws_B - expected) >= observed - 1e-9 * max(1.0, abs(observed))
    return permutation_p(int(reached_B.sum()), settings.permutations)


def _source_permutation_p(
    predicted_N: Int64Array,
    targets_N: Int64Array,
    blocks: tuple[Int64Array, Int64Array, Int64Array],
    stretch: float,
    settings: ColorSettings,
) -> float:
    """P-value of kappa where whole sources' targets are shuffled within strata and folds."""
    sources_N, strata_N, folds_N = blocks
    rng = np.random.default_rng(settings.seed)
    shuffle = SourcePermutations(targets_N, sources_N, strata_N * (int(folds_N.max()) + 1) + folds_N)
    strata = [strata_N == stratum for stratum in np.unique(strata_N)]

    def kappa(labels_N: Int64Array) -> float:
        parts = []
        for rows in strata:
            counts_K = np.bincount(labels_N[rows])
            hits_K = np.bincount(labels_N[rows], weights=predicted_N[rows] == labels_N[rows])
            n_classes = int((counts_K > 0).sum())
            balanced = float((hits_K[counts_K > 0] / counts_K[counts_K > 0]).mean())
            parts.append(rows.sum() * (kappa_from_balanced(balanced, n_classes) if n_classes > 1 else 0.0))
        return float(sum(parts)) / len(labels_N)

    observed = kappa(targets_N)
    draws_B = np.array([kappa(shuffle.draw(rng)) for _ in range(settings.permutations)])
    reached_B = draws_B.mean() + stretch * (draws_B - draws_B.mean()) >= observed - 1e-9
    return permutation_p(int(reached_B.sum()), settings.permutations)


def _shuffled_hits(counts_KK: Int64Array, n: int, rng: np.random.Generator) -> Float64Array:
    """Diagonals of `n` random tables with the margins of `counts_KK`, n x K."""
    from scipy import stats  # late: it takes a second to load

    tables = stats.random_table(counts_KK.sum(axis=1), counts_KK.sum(axis=0))
    block = max(1, _TABLE_CELLS // counts_KK.size)
    diagonals = [
        np.diagonal(tables.rvs(min(block, n - start), random_state=rng), axis1=1, axis2=2)
        for start in range(0, n, block)
    ]
    return np.concatenate(diagonals).astype(np.float64)
