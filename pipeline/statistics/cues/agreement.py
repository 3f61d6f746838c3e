"""How often guesses agree with classes beyond chance, and how likely chance alone agrees so often.

Shape legend: N images, K classes, T tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.core.types import Float64Array, Int64Array
from pipeline.statistics.distributions import normal_sf


def count_tables(
    predicted_N: Int64Array, targets_N: Int64Array, blocks_N: Int64Array, n_classes: int
) -> list[Int64Array]:
    """Confusion counts of every block, K x K each; rows: true classes."""
    tables = []
    for block in np.unique(blocks_N):
        rows = blocks_N == block
        table_KK = np.zeros((n_classes, n_classes), np.int64)
        np.add.at(table_KK, (targets_N[rows], predicted_N[rows]), 1)
        tables.append(table_KK)
    return tables


def chance_p(tables: Sequence[Int64Array], *, stretch: float = 1.0) -> float:
    """One-sided p of the balanced hits when targets are shuffled within each table, by their exact moments.

    Hits of a class count by one over the class's images. The normal tail goes on where permutations end,
    which many tests at once need; `stretch` widens deviations, as cross-fitting asks.

    Source: moments of the multivariate hypergeometric distribution.

    >>> round(chance_p([np.array([[50, 50], [50, 50]])]), 2)
    0.53
    """
    totals_K = sum(table.sum(axis=1) for table in tables)
    weight_K: Float64Array = 1.0 / np.maximum(np.asarray(totals_K, np.float64), 1.0)
    observed, expected, variance = 0.0, 0.0, 0.0
    for table_KK in tables:
        n = int(table_KK.sum())
        if n < 2:
            continue
        true_K, guessed_K = (table_KK.sum(axis=axis).astype(np.float64) for axis in (1, 0))
        observed += float(np.diag(table_KK) @ weight_K)
        expected += float((true_K * guessed_K / n) @ weight_K)
        both_K = weight_K * true_K * guessed_K / n
        own = weight_K**2 * true_K * guessed_K * (n - true_K) * (n - guessed_K) / (n**2 * (n - 1))
        variance += float(own.sum() + (both_K.sum() ** 2 - (both_K**2).sum()) / (n - 1))
    if variance <= 0:
        return 1.0
    # half a hit of the largest class: hits are whole numbers
    step = 0.5 * float(weight_K[weight_K < 1].min(initial=1.0))
    return float(normal_sf((observed - expected - step) / (stretch * math.sqrt(variance))))


def marked_share(
    predicted_N: Int64Array, targets_N: Int64Array, n_classes: int
) -> tuple[Float64Array, Float64Array]:
    """How far guesses mark each class: the share of its images that are guessed to be of it, minus the share
    in the other class that is so most often; and the difference's variance (infinite without images).

    A guess that says no more than "not that class" calls several classes alike, and marks none of them.

    Source of the variance: Agresti and Caffo 2000 (a success and a failure more on each side).
    """
    counts_K = np.bincount(targets_N, minlength=n_classes).astype(np.float64)
    table_KK = np.zeros((n_classes, n_classes))
    np.add.at(table_KK, (targets_N, predicted_N), 1)
    share_KK = np.where(counts_K[:, None] > 0, table_KK / np.maximum(counts_K[:, None], 1), -1.0)
    own_K = np.diag(share_KK).copy()
    np.fill_diagonal(share_KK, -1.0)
    rival_K = share_KK.argmax(axis=0)
    marked_K = own_K - share_KK[rival_K, np.arange(n_classes)]
    own_hits, rival_hits = np.diag(table_KK), table_KK[rival_K, np.arange(n_classes)]
    variance_K = _variance(own_hits, counts_K) + _variance(rival_hits, counts_K[rival_K])
    is_known = (counts_K > 0) & (counts_K[rival_K] > 0)
    return np.where(is_known, marked_K, 0.0), np.where(is_known, variance_K, np.inf)


def _variance(hits_K: Float64Array, counts_K: Float64Array) -> Float64Array:
    share_K = (hits_K + 1) / (counts_K + 2)
    return np.asarray(share_K * (1 - share_K) / (counts_K + 2))


def channel_bits(accuracy: float, n_classes: int) -> float:
    """Bits that a guess with this balanced accuracy tells of equally likely classes, errors spread evenly.

    >>> channel_bits(1.0, 4), channel_bits(0.25, 4)
    (2.0, 0.0)
    """
    if accuracy <= 1 / n_classes:
        return 0.0
    wrong = 1 - accuracy
    lost = -accuracy * math.log2(accuracy) - (
        wrong * math.log2(wrong / (n_classes - 1)) if wrong > 0 else 0.0
    )
    return math.log2(n_classes) - lost
