"""What chance decides: labels that the images do not know, the cue's values, splits and names.

Every count is exact, so that a data set has the shares and the kappa that were asked for and not some near
them; chance decides which image gets what.

Shape legend: N images, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import SPLIT_NAMES, Int64Array

SPLIT_SHARES = (0.6, 0.15, 0.25)  # train, val, test


def draw_labels(n: int, shares_K: Sequence[float], seed: int) -> Int64Array:
    """N labels in the given shares, in random order."""
    counts_K = _round_counts(n, shares_K)
    return _shuffled(np.repeat(np.arange(len(counts_K)), counts_K), np.random.default_rng([seed, 1]))


def draw_values(labels_N: Int64Array, strength: float, seed: int) -> Int64Array:
    """One value of the cue for each image, value i going with class i.

    Of each class a share of kappa + (1 - kappa) / K has its own value, and the others share the rest. With
    equally frequent classes Cohen's kappa of value and label is then `strength`, up to one image a class.

    Raises:
        ValueError: a strength outside 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength}: a kappa from 0 to 1 is expected.")
    rng = np.random.default_rng([seed, 2])
    n_classes = int(labels_N.max()) + 1
    values_N = np.empty_like(labels_N)
    for label in range(n_classes):
        rows = np.flatnonzero(labels_N == label)
        shares = np.full(n_classes, (1 - strength) / n_classes)
        shares[label] += strength
        counts = _round_counts(len(rows), shares, offset=label + 1)  # never stronger than asked
        values_N[rows] = _shuffled(np.repeat(np.arange(n_classes), counts), rng)
    return values_N


def draw_splits(n: int, seed: int) -> list[str]:
    """Train, val or test for each image, whatever its label."""
    counts = _round_counts(n, SPLIT_SHARES)
    codes_N = _shuffled(np.repeat(np.arange(3), counts), np.random.default_rng([seed, 3]))
    return [SPLIT_NAMES[code] for code in codes_N]


def draw_stems(n: int, seed: int) -> list[str]:
    """File names of equal length that say nothing and differ."""
    rng, found = np.random.default_rng([seed, 4]), dict.fromkeys([""])
    while len(found) <= n:
        found[rng.bytes(5).hex()] = None
    return list(found)[1:]


def _round_counts(n: int, shares: Sequence[float] | np.ndarray, offset: int = 0) -> Int64Array:
    """Whole numbers that sum to n, by largest remainder; ties go to the entries from `offset` on."""
    exact = n * np.asarray(shares, float) / np.sum(shares)
    counts: Int64Array = np.floor(exact + 1e-9).astype(np.int64)
    turn = (np.arange(len(exact)) - offset) % len(exact)
    order = np.lexsort((turn, -np.round(exact - counts, 9)))
    counts[order[: n - counts.sum()]] += 1
    return counts


def _shuffled(values: Int64Array, rng: np.random.Generator) -> Int64Array:
    return np.asarray(rng.permutation(values), np.int64)
