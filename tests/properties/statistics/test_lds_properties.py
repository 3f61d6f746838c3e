"""The linear datamodeling score: planted truths, nulls, an oracle, and what its intervals promise."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array
from pipeline.statistics.retrained.lds import (
    lds_record,
    random_sums,
    same_class_sums,
    score_predictors,
    spearman,
)
from pipeline.statistics.retrained.noise_ceiling import noise_ceiling
from pipeline.statistics.retrained.subsets import subset_members

N = 300


def members(n_subsets: int, seed: int = 0) -> BoolArray:
    return subset_members(N, 0.5, seed=seed, indices=range(n_subsets))


def linear_problem(
    rng: np.random.Generator,
    n_targets: int,
    members_MN: BoolArray,
    *,
    quality: float,
    noise: float = 1.0,
    shared: float = 1.0,
) -> tuple[Float64Array, Float64Array]:
    """Sums of scores that know a share `quality` of the true weights, and margins of two trainings.

    By default targets share half of their weights and of the trainings' noise, as images of a class do.
    """
    n_subsets, n = members_MN.shape
    weights_TN = rng.normal(size=(n_targets, n)) + shared * rng.normal(size=(1, n))
    other_TN = rng.normal(size=(n_targets, n)) + shared * rng.normal(size=(1, n))
    scores_TN = quality * weights_TN + np.sqrt(1 - quality**2) * other_TN
    errors_TMR = rng.normal(size=(n_targets, n_subsets, 2)) + shared * rng.normal(size=(1, n_subsets, 2))
    true_TM = weights_TN @ members_MN.T / np.sqrt(n / 4)
    return scores_TN @ members_MN.T, true_TM[:, :, None] + noise * errors_TMR


def test_correlation_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (20, 30)), rng.integers(0, 4, (20, 30)) + rng.integers(0, 3, (20, 30))
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(spearman(first, second), expected, atol=1e-12)
    found = score_predictors({"p": first}, second[:, :, None].astype(float), seed=0)["p"].estimate
    assert found.value == pytest.approx(np.mean(expected))


def test_constant_predictions_score_nothing_and_constant_margins_are_left_out() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.normal(size=(4, 20))
    actual = predicted[:, :, None].copy()
    actual[3] = 7.0  # no subset says anything about it
    predicted[0] = 5.0
    found = score_predictors({"p": predicted}, actual, seed=0)["p"].estimate
    assert found.value == pytest.approx(2 / 3)
    assert found.n == 3
    with pytest.raises(InputError, match="no target's margin differs"):
        score_predictors({"p": predicted}, np.zeros((4, 20, 1)), seed=0)


def test_true_weights_reach_the_ceiling_and_others_do_not() -> None:
    rng = np.random.default_rng(2)
    members_MN = members(200)
    for noise in (0.5, 2.0):
        perfect, actual = linear_problem(rng, 100, members_MN, quality=1.0, noise=noise, shared=0)
        ceiling = noise_ceiling(actual)
        assert ceiling is not None
        value = score_predictors({"p": perfect}, actual, seed=0)["p"].estimate.value
        assert value == pytest.approx(ceiling.value, abs=0.03)
        half, actual = linear_problem(rng, 100, members_MN, quality=0.5, noise=noise, shared=0)
        found = score_predictors({"p": half}, actual, seed=0)["p"].estimate
        assert found.low > 0.05
        assert found.high < ceiling.value - 0.1


@pytest.mark.parametrize("noise", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("repeats", [2, 4])
def test_ceiling_is_what_a_perfect_predictor_reaches(noise: float, repeats: int) -> None:
    """Signal and noise of known size: Pearson sqrt(1 / (1 + noise^2 / R)), seen through ranks."""
    rng = np.random.default_rng(3)
    true_TM = rng.normal(size=(400, 100))
    actual = true_TM[:, :, None] + noise * rng.normal(size=(400, 100, repeats))
    known = 6 / np.pi * np.arcsin(np.sqrt(1 / (1 + noise**2 / repeats)) / 2)
    ceiling = noise_ceiling(actual)
    assert ceiling is not None
    assert ceiling.value == pytest.approx(known, abs=0.015)

    assert spearman(true_TM, actual.mean(2)).mean() == pytest.approx(known, abs=0.015)


def test_ceiling_of_targets_that_differ_and_of_none() -> None:
    rng = np.random.default_rng(4)
    true_TM = rng.normal(size=(300, 100))
    noise_T = rng.uniform(0.1, 5, size=(300, 1, 1))
    actual = true_TM[:, :, None] + noise_T * rng.normal(size=(300, 100, 2))
    perfect = spearman(true_TM, actual.mean(2)).mean()
    ceiling = noise_ceiling(actual)
    assert ceiling is not None
    assert ceiling.value == pytest.approx(perfect, abs=0.03)
    pure_noise = noise_ceiling(rng.normal(size=(300, 100, 2)))
    assert pure_noise is not None
    assert pure_noise.value < 0.15
    assert noise_ceiling(actual[:, :, :1]) is None


def test_the_ceilings_interval_covers_as_often_as_it_promises() -> None:
    known = 6 / np.pi * np.arcsin(np.sqrt(1 / 1.5) / 2)
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        _, actual = linear_problem(rng, 40, members(24, seed), quality=1.0)
        found = noise_ceiling(actual, seed=seed)
        assert found is not None
        covered.append(found.low <= known <= found.high)
    assert np.mean(covered) >= 0.9


@pytest.mark.parametrize(("quality", "n_subsets"), [(0.0, 24), (0.4, 48)])
def test_intervals_cover_as_often_as_they_promise(quality: float, n_subsets: int) -> None:
    """New subsets and new targets every time: 95 % of intervals hold the mean, give or take 3 in 80."""
    rng = np.random.default_rng(5)
    found = []
    for repeat in range(80):
        predicted, actual = linear_problem(rng, 30, members(n_subsets, seed=repeat), quality=quality)
        found.append(score_predictors({"p": predicted}, actual, seed=repeat)["p"].estimate)
    truth = float(np.mean([estimate.value for estimate in found]))
    assert truth == pytest.approx(0.0 if quality == 0 else 0.3, abs=0.03)
    covered = np.mean([estimate.low <= truth <= estimate.high for estimate in found])
    assert 0.89 <= covered <= 1.0
    widths = np.mean([estimate.high - estimate.low for estimate in found])
    spread = np.std([estimate.value for estimate in found])
    assert widths == pytest.approx(2 * 1.96 * spread, rel=0.3), "neither too narrow nor too wide"


def test_leads_over_baselines_are_paired() -> None:
    rng = np.random.default_rng(6)
    members_MN = members(64)
    labels_T, train_labels_N = rng.integers(0, 3, 40), rng.integers(0, 3, N)
    predicted, actual = linear_problem(rng, 40, members_MN, quality=0.6)
    close = predicted + 0.1 * predicted.std() * rng.normal(size=predicted.shape)
    record = lds_record(
        predicted, actual, labels_T=labels_T, train_labels_N=train_labels_N, members_MN=members_MN,
        seed=0, grad_cosine_TM=close, baselines={"itself": predicted},
    )  # fmt: skip
    assert list(record.lead) == ["random", "same_class", "grad_cosine", "itself"]
    assert record.lead["random"].low > 0.1
    assert record.lead["itself"].low == record.lead["itself"].high == 0.0
    # two predictors that agree on subsets and targets are told apart better than either is known
    lead = record.lead["grad_cosine"]
    assert lead.high - lead.low < (record.high - record.low) / 3
    assert abs(record.random) < 0.1
    assert (record.n_subsets, record.repeats, record.n_targets) == (64, 2, 40)
    assert record.share == 0.5


def test_same_class_finds_what_it_is_made_for() -> None:
    rng = np.random.default_rng(7)
    members_MN = members(64)
    labels_T, train_labels_N = rng.integers(0, 3, 40), rng.integers(0, 3, N)
    scores_TN = (labels_T[:, None] == train_labels_N).astype(float)
    np.testing.assert_array_equal(
        same_class_sums(members_MN, train_labels_N, labels_T), scores_TN @ members_MN.T
    )


def test_random_sums_have_the_overlaps_as_covariance() -> None:
    members_MN = members(6)
    drawn_TM = random_sums(members_MN, 40_000, seed=0)
    overlaps_MM = members_MN.astype(float) @ members_MN.T
    np.testing.assert_allclose(np.cov(drawn_TM.T), overlaps_MM, atol=5)


@pytest.mark.parametrize(("shape", "message"), [((5, 4, 1), "4 subsets are too few"), ((5, 8, 1), "shape")])
def test_wrong_input_names_the_remedy(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_predictors({"p": np.zeros((5, 9))}, np.random.default_rng(0).normal(size=shape), seed=0)


def test_ten_thousand_targets_take_seconds() -> None:
    rng = np.random.default_rng(8)
    predicted = rng.normal(size=(10_000, 100)).astype(np.float32)
    actual = predicted[:, :, None] + rng.normal(size=(10_000, 100, 2))
    started = time.process_time()
    score_predictors({"p": predicted}, actual, seed=0)
    assert time.process_time() - started < 15  # ranking every draw anew would take minutes
