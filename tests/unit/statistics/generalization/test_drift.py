"""Drift: thresholds that chance passes in 5 %, shifts that are found, known values."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.statistics.generalization.drift import (
    class_drift,
    mmd_drift,
    mmd_squared,
    psi,
    psi_drift,
    psi_of_counts,
)

P = 99


def test_usual_threshold_fires_in_most_nulls_and_ours_in_5_percent() -> None:
    rng = np.random.default_rng(0)
    usual, ours, n_sets = 0, 0, 300
    for seed in range(n_sets):
        reference_1N, current_1M = rng.beta(5, 1, (2, 1, 133))
        found = psi_drift(reference_1N, current_1M, n_permutations=P, seed=seed)
        usual += found.value_S[0] > 0.1
        ours += found.is_found
    assert 0.56 < usual / n_sets < 0.74
    assert ours / n_sets < 0.09


def test_p_value_and_threshold_agree_and_are_exact() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(150):
        found = class_drift(*rng.integers(0, 4, (2, 2, 60)), 4, n_permutations=P, seed=seed)
        assert found.is_found == (found.p_value <= 0.05)
        p_values.append(found.p_value)
    assert np.mean(np.array(p_values) <= 0.05) < 0.1
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)


def test_embeddings_of_one_kind_drift_in_5_percent_and_moved_ones_always() -> None:
    rng = np.random.default_rng(0)
    null, moved, values, n_sets = 0, 0, [], 150
    for seed in range(n_sets):
        reference, current = rng.normal(size=(40, 8)), rng.normal(size=(60, 8))
        found = mmd_drift([reference], [current], n_permutations=P, seed=seed)
        values.append(found.value_S[0])
        null += found.is_found
        moved += mmd_drift([reference], [current + 0.5], n_permutations=P, seed=seed).is_found
    assert null / n_sets < 0.1
    assert moved / n_sets > 0.97
    standard_error = np.std(values) / np.sqrt(n_sets)
    assert abs(np.mean(values)) < 3 * standard_error, "unbiased: 0 on average, and below it as often"
    assert np.min(values) < 0


def test_spread_alone_is_a_drift() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=(100, 3)), 2 * rng.normal(size=(100, 3))
    assert mmd_drift([reference], [current], n_permutations=P, seed=0).is_found


def test_confidences_and_classes_that_move_are_found() -> None:
    rng = np.random.default_rng(0)
    assert psi_drift(rng.beta(5, 1, (3, 200)), rng.beta(3, 1, (3, 200)), n_permutations=P, seed=0).is_found
    few = rng.choice(3, (1, 200), p=[0.6, 0.2, 0.2])
    found = class_drift(rng.integers(0, 3, (1, 200)), few, 3, n_permutations=P, seed=0)
    assert found.is_found
    assert found.p_value == 1 / (P + 1)


def test_threshold_is_that_of_the_mean_over_seeds() -> None:
    rng = np.random.default_rng(0)
    reference_SN, current_SM = rng.random((8, 100)), rng.random((8, 100))
    all_8 = psi_drift(reference_SN, current_SM, n_permutations=P, seed=0)
    one = psi_drift(reference_SN[:1], current_SM[:1], n_permutations=P, seed=0)
    assert all_8.threshold < one.threshold, "eight independent numbers vary less"
    assert all_8.value_S[0] == one.value_S[0]


def test_psi_by_loops() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=97), rng.normal(0.3, 1, size=61)
    ranks = [(reference < x).sum() * 10 // 97 for x in np.concatenate([reference, current])]
    bins = np.minimum(ranks, 9)
    total = 0.0
    for b in range(10):
        first = ((bins[:97] == b).sum() + 0.5) / (97 + 5)
        second = ((bins[97:] == b).sum() + 0.5) / (61 + 5)
        total += (second - first) * np.log(second / first)
    assert psi(reference, current) == pytest.approx(total)
    assert np.bincount(bins[:97]).min() >= 9, "quantiles of the reference"


def test_open_ends_ties_and_empty_bins() -> None:
    reference = np.repeat([0.1, 0.9], 50)
    assert psi(reference, reference) == pytest.approx(0)
    assert psi(reference, np.array([-5.0, 0.1, 0.9, 7.0] * 25)) < np.inf
    assert psi(reference, np.full(50, 7.0)) > 3
    assert psi_of_counts(np.array([50, 50, 0]), np.array([10, 10, 0])) == pytest.approx(0)
    assert psi_of_counts(np.array([50, 50, 0]), np.array([0, 10, 10])) > 1


def test_constant_features_are_no_drift() -> None:
    found = mmd_drift([np.ones((20, 3))], [np.ones((20, 3))], n_permutations=P, seed=0)
    assert found.value_S[0] == 0
    assert not found.is_found
    with pytest.raises(InputError, match="both sides need at least 2"):
        mmd_drift([np.ones((1, 3))], [np.ones((20, 3))], n_permutations=P, seed=0)


def test_mmd_by_loops() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 3)), rng.normal(1, 1, size=(9, 3))
    both = np.concatenate([x, y])
    distances = [((a - b) ** 2).sum() for i, a in enumerate(both) for b in both[:i]]

    def mean(first: list[np.ndarray], second: list[np.ndarray]) -> float:
        pairs = [((a - b) ** 2).sum() for a in first for b in second if a is not b]
        return float(np.mean(np.exp(-np.array(pairs) / (2 * np.median(distances)))))

    lists = list(x), list(y)
    expected = mean(lists[0], lists[0]) + mean(lists[1], lists[1]) - 2 * mean(*lists)
    assert mmd_squared(x, y) == pytest.approx(expected)
