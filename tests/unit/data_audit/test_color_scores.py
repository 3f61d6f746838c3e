"""From predictions to kappa, interval and p-value: hand-worked numbers and slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.data_audit.color.scores import CROSS_FIT_STRETCH, Reading, Setup, predictability
from pipeline.records.color import Predictability
from tests.fixtures.audit import settings

SETUP = Setup(target="label", fitted_on="train", n_fitted=7, read_on="test")


def scored(
    predicted: Int64Array, targets: Int64Array, permutations: int = 999, **blocks: Int64Array
) -> Predictability:
    reading = Reading(predicted, np.where(predicted == targets, 0.8, 0.2))
    return predictability(reading, targets, SETUP, settings(0, permutations), **blocks)


def noisy_reading(n: int, n_classes: int, skill: float, seed: int) -> tuple[Int64Array, Int64Array]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, n_classes, n)
    return np.where(rng.random(n) < skill, targets, rng.integers(0, n_classes, n)), targets


def test_one_stratum_by_hand() -> None:
    targets = np.repeat([0, 1], [8, 2])
    predicted = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    found = scored(predicted, targets)
    assert found.balanced_accuracy == pytest.approx((7 / 8 + 1) / 2)
    assert found.kappa == pytest.approx(0.875)
    assert found.low < 0.6
    assert found.high > 0.97
    # 10 choose 2 ways to place class 1; as good: both among the 3 predicted, and the observed one
    assert found.p_value == pytest.approx(3 / 45, abs=0.02)
    bits = 1 + np.mean([7 / 8 * np.log2(0.8) + 1 / 8 * np.log2(0.2), np.log2(0.8)])
    assert found.v_information_bits == pytest.approx(bits)
    assert (found.n, found.n_classes, found.n_fitted) == (10, 2, 7)


def test_strata_are_averaged_by_their_images_and_one_class_is_left_out() -> None:
    targets = np.array([0, 0, 1, 1, 0, 1, 2, 2, 0, 0])
    predicted = np.array([0, 0, 1, 1, 1, 1, 2, 0, 0, 0])
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])  # stratum 2 has one class
    found = scored(predicted, targets, strata_N=strata)
    second = (balanced_accuracy_score([0, 1, 2, 2], [1, 1, 2, 0]) - 1 / 3) / (2 / 3)
    assert found.n == 8
    assert found.n_classes == 3
    assert found.kappa == pytest.approx((4 * 1 + 4 * second) / 8)
    nothing = scored(predicted[8:], targets[8:])
    assert (nothing.kappa, nothing.p_value, nothing.n, nothing.n_classes) == (0, 1, 2, 1)


def test_the_interval_of_equal_strata_is_narrower_than_each() -> None:
    predicted, targets = noisy_reading(400, 3, 0.4, seed=0)
    half = scored(predicted[:200], targets[:200])
    both = scored(np.tile(predicted[:200], 2), np.tile(targets[:200], 2), strata_N=np.repeat([0, 1], 200))
    assert both.kappa == pytest.approx(half.kappa)
    assert both.high - both.kappa == pytest.approx((half.high - half.kappa) / np.sqrt(2))
    assert both.kappa - both.low == pytest.approx((half.kappa - half.low) / np.sqrt(2))


def test_cross_fitted_intervals_are_wider_and_p_values_larger() -> None:
    predicted, targets = noisy_reading(300, 3, 0.08, seed=4)
    plain = scored(predicted, targets)
    crossed = scored(predicted, targets, folds_N=np.arange(300) % 5)
    assert crossed.kappa == plain.kappa
    assert crossed.high - crossed.kappa == pytest.approx(CROSS_FIT_STRETCH * (plain.high - plain.kappa))
    assert plain.p_value < crossed.p_value < 0.5
    perfect = scored(targets, targets, folds_N=np.arange(300) % 5)
    assert perfect.high == 1


def shuffled_kappas(
    predicted: Int64Array, targets: Int64Array, blocks: Int64Array, strata: Int64Array, n: int
) -> Float64Array:
    """Kappas after shuffling the targets within blocks, one by one, weighted over strata."""
    rng = np.random.default_rng(1)
    kappas = np.zeros(n)
    for draw in range(n):
        shuffled = targets.copy()
        for block in np.unique(blocks):
            shuffled[blocks == block] = rng.permutation(targets[blocks == block])
        for stratum in np.unique(strata):
            rows: BoolArray = strata == stratum
            n_classes = len(np.unique(targets[rows]))
            hits = shuffled[rows] == predicted[rows]
            accuracy = np.mean([hits[shuffled[rows] == k].mean() for k in range(n_classes)])
            kappas[draw] += rows.mean() * (accuracy - 1 / n_classes) / (1 - 1 / n_classes)
    return kappas


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_tables_are_shuffled_targets(seed: int) -> None:
    predicted, targets = noisy_reading(120, 3, 0.12, seed)
    strata = np.arange(120) // 70
    ours = scored(predicted, targets, 4999, strata_N=strata)
    twin = shuffled_kappas(predicted, targets, strata, strata, 800)
    assert ours.p_value == pytest.approx((twin >= ours.kappa - 1e-9).mean(), abs=0.05)
    folds = np.arange(120) % 3
    crossed = scored(predicted, targets, 4999, strata_N=strata, folds_N=folds)
    twin = shuffled_kappas(predicted, targets, strata * 3 + folds, strata, 800)
    widened = twin.mean() + CROSS_FIT_STRETCH * (twin - twin.mean())
    assert crossed.p_value == pytest.approx((widened >= ours.kappa - 1e-9).mean(), abs=0.05)
