"""Calibration: the null it must not flag, errors it must find, ties, p = 1, a planted temperature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array
from pipeline.statistics.generalization.calibration import (
    apply_temperature,
    bin_count,
    binned_gaps,
    ece_debiased,
    ece_floor,
    ece_plain,
    equal_mass_bins,
    fit_temperature,
    negative_log_likelihoods,
    reliability_curve,
    smooth_ece,
)
from pipeline.statistics.intervals import wilson


def _answers(n: int, gap: float, n_sets: int = 600, seed: int = 0) -> tuple[Float64Array, Float64Array]:
    """Sets of confidences, and answers that are right less often than they say by `gap`."""
    rng = np.random.default_rng(seed)
    confidence_SN = rng.uniform(0.75, 1, (n_sets, n))
    return confidence_SN, (rng.random(confidence_SN.shape) < confidence_SN - gap).astype(np.float64)


@pytest.mark.parametrize(("n", "published"), [(56, 0.109), (133, 0.070), (642, 0.033), (2255, 0.017)])
def test_floor_of_a_calibrated_model(n: int, published: float) -> None:
    confidence_SN, right_SN = _answers(n, gap=0, n_sets=100)
    floor = ece_floor(confidence_SN[:20], 10)
    assert floor == pytest.approx(published, rel=0.12)
    assert floor == pytest.approx(ece_plain(confidence_SN, right_SN, 10).mean(), rel=0.05)
    assert ece_floor(confidence_SN[:20], 10) == floor, "it is repeatable"


@pytest.mark.parametrize(("n", "n_bins"), [(56, None), (133, None), (133, 10), (642, None)])
def test_calibrated_model_has_no_error_on_average(n: int, n_bins: int | None) -> None:
    confidence_SN, right_SN = _answers(n, gap=0)
    found_S, plain_S = (error(confidence_SN, right_SN, n_bins) for error in (ece_debiased, ece_plain))
    standard_error = found_S.std() / np.sqrt(len(found_S))
    assert abs(found_S.mean()) < max(3 * standard_error, 0.005)
    assert plain_S.mean() > 0.017, "the plain error would flag it"


def test_less_noise_is_left_than_by_subtracting_the_noise_of_the_observed_gap() -> None:
    confidence_SN, right_SN = _answers(300, gap=0)
    n_SB, gap_SB, _ = binned_gaps(confidence_SN, right_SN, 10)
    z_D = np.random.default_rng(0).normal(size=200)
    error_SB = 0.33 / np.sqrt(n_SB)
    # Kumar, Liang and Ma 2019: what noise adds to |gap| if the gap were the true one
    noisy_SB = np.abs(gap_SB[..., None] + error_SB[..., None] * z_D).mean(axis=2)
    kumar = (2 * np.abs(gap_SB) - noisy_SB).mean()
    assert kumar > 0.02
    assert abs(ece_debiased(confidence_SN, right_SN, 10).mean()) < 0.25 * kumar


@pytest.mark.parametrize(("n", "gap", "within"), [(133, 0.2, 0.012), (642, 0.1, 0.01), (2255, 0.05, 0.01)])
def test_planted_error_is_found(n: int, gap: float, within: float) -> None:
    found = ece_debiased(*_answers(n, gap)).mean()
    assert found == pytest.approx(gap, abs=within)


def test_error_that_changes_sign_is_found_where_the_overall_gap_is_none() -> None:
    rng = np.random.default_rng(0)
    confidence_SN = rng.uniform(0.6, 1, (300, 1200))
    right_SN = (rng.random(confidence_SN.shape) < 0.8).astype(np.float64)  # the same at every confidence
    assert abs((confidence_SN - right_SN).mean()) < 0.005
    assert ece_debiased(confidence_SN, right_SN).mean() == pytest.approx(0.1, abs=0.008)


def test_certain_answers_count() -> None:
    confidence_SN, right_SN = np.ones((1, 60)), (np.arange(60) < 30).astype(np.float64)[None]
    for error in (ece_plain, ece_debiased, smooth_ece):
        assert error(confidence_SN, right_SN) == pytest.approx([0.5], abs=0.01)
    assert ece_debiased(confidence_SN, np.ones((1, 60))).tolist() == [0]
    assert smooth_ece(np.zeros((1, 60)), np.ones((1, 60))) == pytest.approx([1], abs=1e-6)


def test_order_of_rows_never_matters_and_ties_stay_together() -> None:
    rng = np.random.default_rng(0)
    confidence_SN = np.round(rng.uniform(0.5, 1, (1, 400)), 1)
    right_SN = (rng.random((1, 400)) < 0.7).astype(np.float64)
    order = rng.permutation(400)
    for error in (ece_plain, ece_debiased, smooth_ece):
        assert error(confidence_SN, right_SN) == pytest.approx(
            error(confidence_SN[:, order], right_SN[:, order]), abs=1e-12
        )
    bins_N = equal_mass_bins(confidence_SN, 10)[0]
    for value in np.unique(confidence_SN):
        assert len(np.unique(bins_N[confidence_SN[0] == value])) == 1
    # sorted by outcome is the order that naive bins are fooled by
    tied_SN = np.full((1, 400), 0.7)
    assert ece_plain(tied_SN, np.sort(right_SN, axis=1)) == pytest.approx(abs(0.7 - right_SN.mean()))


def test_bins_hold_equally_many_images_of_every_seed() -> None:
    confidence_SN = np.random.default_rng(0).random((3, 300))
    bins_SN = equal_mass_bins(confidence_SN, 10)
    assert (bin_count(30), bin_count(300), bin_count(3000)) == (1, 7, 10)
    for bins_N, confidence_N in zip(bins_SN, confidence_SN, strict=True):
        assert np.bincount(bins_N).tolist() == [30] * 10
        assert (np.diff(bins_N[np.argsort(confidence_N)]) >= 0).all()


def test_reliability_curve_tells_accuracy_with_wilson() -> None:
    confidence_N = np.repeat([0.6, 0.9, 1.0], [40, 40, 20])
    right_N = np.concatenate([np.arange(40) < 20, np.arange(40) < 38, np.ones(20)]).astype(np.float64)
    curve = reliability_curve(confidence_N[None], right_N[None], 3)
    assert curve.confidence_B == pytest.approx([0.6, 0.9, 1.0])
    assert curve.accuracy_B == pytest.approx([0.5, 0.95, 1.0])
    assert curve.n_B.tolist() == [40, 40, 20]
    assert (curve.low_B[1], curve.high_B[1]) == pytest.approx(wilson(38, 40))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_planted_temperature_is_recovered(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits_NK = 2 * rng.normal(size=(4000, 5))
    labels_N = (logits_NK + rng.gumbel(size=logits_NK.shape)).argmax(axis=1)  # of their softmax
    said_NK = log_softmax(temperature * logits_NK, axis=1)
    found = fit_temperature(said_NK, labels_N)
    assert found == pytest.approx(temperature, rel=0.05)
    scaled_NK = apply_temperature(said_NK, found)
    assert (scaled_NK.argmax(axis=1) == said_NK.argmax(axis=1)).all()
    loss = negative_log_likelihoods(np.stack([said_NK, scaled_NK]), labels_N).mean(axis=1)
    assert loss[1] <= loss[0]


def test_temperature_of_a_model_that_is_always_right_ends_where_the_search_ends() -> None:
    log_NK = log_softmax(np.eye(3)[np.arange(30) % 3], axis=1)
    assert fit_temperature(log_NK, np.arange(30) % 3) < 0.05
    with pytest.raises(InputError, match="0 of them"):
        fit_temperature(log_NK[:0], np.arange(0))


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match=r"\(1, 3\).*\(1, 2\)"):
        ece_plain(np.ones((1, 3)), np.ones((1, 2)))


def test_the_curve_of_calibrated_networks_holds_the_diagonal_in_95_of_100_bins() -> None:
    rng = np.random.default_rng(0)
    hits, total = 0, 0
    for _ in range(300):
        confidence_SN = np.tile(rng.uniform(0.5, 1.0, 400), (5, 1))
        right_SN = np.tile(rng.random(400) < confidence_SN[0], (5, 1)).astype(np.float64)
        curve = reliability_curve(confidence_SN, right_SN)
        hits += int(((curve.low_B <= curve.confidence_B) & (curve.confidence_B <= curve.high_B)).sum())
        total += len(curve.n_B)
    # all five networks give the same answers: were answers counted, it would be some 60 %
    assert 0.93 < hits / total < 0.975


def test_the_curves_interval_counts_images_and_never_more() -> None:
    rng = np.random.default_rng(1)
    one_SN, right_SN = rng.uniform(0.5, 1, (1, 200)), (rng.random((1, 200)) < 0.7).astype(np.float64)
    once = reliability_curve(one_SN, right_SN)
    five_times = reliability_curve(np.tile(one_SN, (5, 1)), np.tile(right_SN, (5, 1)))
    for a, b in zip(once, five_times, strict=True):
        assert a == pytest.approx(b)
    mixed = reliability_curve(rng.uniform(0.5, 1, (5, 200)), np.tile(right_SN, (5, 1)))
    for n, p, low in zip(mixed.n_B, mixed.accuracy_B, mixed.low_B, strict=True):
        assert low <= wilson(p * n, n).low + 1e-12
    assert (mixed.n_B <= 200).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 100), (3, 100)])
def test_a_single_confidence_is_one_point_and_certainty_counts(shape: tuple[int, int]) -> None:
    curve = reliability_curve(np.ones(shape), np.ones(shape))
    assert (curve.confidence_B.tolist(), curve.accuracy_B.tolist()) == ([1.0], [1.0])
    assert curve.n_B.tolist() == [shape[1]]
    assert curve.high_B.tolist() == [1.0]
