"""Empirical-Bayes groups: a null shrinks to one value, planted spread stays, intervals cover on average."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.records.base import GroupEstimate
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.shrinkage import effective_sizes, fit_beta_prior, shrink_groups
from pipeline.statistics.intervals import wilson


def measured(hits: np.ndarray, sizes: np.ndarray) -> list[GroupEstimate]:
    groups = []
    for i, (h, n) in enumerate(zip(hits, sizes, strict=True)):
        low, high = wilson(h, n) if n else (0.0, 1.0)
        groups.append(
            GroupEstimate(
                value=h / n if n else 0.0,
                low=low,
                high=high,
                n=int(n),
                index=i,
                name=str(i),
                sufficient=n > 9,
            )
        )
    return groups


def shrink(hits: np.ndarray, sizes: np.ndarray) -> list[GroupEstimate]:
    p = hits / np.maximum(sizes, 1)
    variances = {i: float(p[i] * (1 - p[i]) / n) for i, n in enumerate(sizes) if n}
    return shrink_groups(measured(hits, sizes), variances)


def test_the_likelihood_is_scipys_beta_binomial() -> None:
    """The fitted prior beats a grid of others under scipy's own distribution and the same prior density."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(20, 200, 30)
    hits = rng.binomial(sizes, rng.beta(14, 6, 30))
    found = fit_beta_prior(hits / sizes, sizes.astype(float))

    def score(mean: float, precision: float) -> float:
        likelihood = stats.betabinom.logpmf(hits, sizes, mean * precision, (1 - mean) * precision).sum()
        return float(
            likelihood + np.log(mean * (1 - mean) * precision) - 2 * np.log(precision + stats.hmean(sizes))
        )

    grid = [score(m, c) for m in np.linspace(0.5, 0.9, 41) for c in np.geomspace(1, 1000, 61)]
    assert score(*found) >= max(grid) - 1e-6
    assert found.mean == pytest.approx(0.7, abs=0.05)
    assert 8 < found.precision < 50


def test_equal_groups_shrink_to_one_value_and_planted_ones_stay() -> None:
    rng = np.random.default_rng(0)
    sizes = np.full(60, 166)
    null = rng.binomial(sizes, 0.7)
    raw_spread, spread = np.ptp(null / sizes), np.ptp([g.value for g in shrink(null, sizes)])
    assert raw_spread > 0.14
    assert spread < raw_spread / 3
    planted = rng.binomial(sizes, np.repeat([0.4, 0.9], 30))
    kept = np.array([g.value for g in shrink(planted, sizes)])
    assert np.abs(kept - planted / sizes).max() < 0.03


def test_intervals_cover_on_average_over_groups() -> None:
    rng = np.random.default_rng(0)
    covered, closer = [], []
    for _ in range(12):
        truth, sizes = rng.beta(28, 12, 60), rng.integers(30, 120, 60)
        hits = rng.binomial(sizes, truth)
        groups = shrink(hits, sizes)
        covered += [g.low <= p <= g.high for g, p in zip(groups, truth, strict=True)]
        value = np.array([g.value for g in groups])
        closer.append(np.square(value - truth).mean() / np.square(hits / sizes - truth).mean())
    assert 0.93 <= np.mean(covered) <= 0.98
    assert np.mean(closer) < 0.8, "shrunken values are nearer to the truth"


def test_groups_without_images_and_few_groups_are_left_as_measured() -> None:
    hits, sizes = np.array([8, 0, 5, 9]), np.array([10, 0, 10, 10])
    groups = shrink(hits, sizes)
    assert groups[1] == measured(hits, sizes)[1]
    assert all(0 <= g.low <= g.value <= g.high <= 1 for g in groups)
    assert [(g.name, g.n, g.sufficient) for g in groups] == [
        (g.name, g.n, g.sufficient) for g in measured(hits, sizes)
    ]
    assert shrink(hits[:2], sizes[:2]) == measured(hits[:2], sizes[:2])


@pytest.mark.parametrize("hits", [[0, 0, 0], [50, 50, 50], [0, 50, 25]])
def test_extremes_stay_within_the_range(hits: list[int]) -> None:
    for group in shrink(np.array(hits), np.full(3, 50)):
        assert 0 <= group.low <= group.value <= group.high <= 1
        assert group.high - group.low > 0.01


def test_effective_sizes_by_hand() -> None:
    sizes = effective_sizes(
        np.array([0.5, 0.5, 1.0, 0.2]), np.array([9.0, 9, 9, 9]), np.array([0.01, 0, 0, 2])
    )
    assert sizes == pytest.approx([25, 9, 9, 1])


def test_seeds_that_err_equally_often_on_different_images_leave_no_interval_unknown() -> None:
    """Their mean's variance is 0 but for rounding: no reason to take a group for 10^15 images."""
    correct_SN = np.ones((3, 160), bool)
    for seed in range(3):
        correct_SN[seed, [2 * seed, 2 * seed + 1]] = False  # of the first 40 images
        correct_SN[seed, 40 + seed : 160 : 4] = False
    found = split_metrics(
        correct_SN,
        np.arange(160) // 40,
        group_names=list("abcd"),
        n_train=[40] * 4,
        seeds=range(3),
        min_images=1,
    )
    ends = np.array([[group.low, group.value, group.high] for group in found.shrunk])
    assert np.isfinite(ends).all()
    assert (ends[0, 2] - ends[0, 0]) > 0.01
