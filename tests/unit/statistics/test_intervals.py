"""Intervals by hand: published Wilson numbers, several seeds, the ends 0 and 1, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.statistics.intervals import (
    MOST_POOLED,
    SeedPool,
    accuracy_over_seeds,
    independent_difference,
    mean_variance,
    sidak_confidence,
    wilson,
)
from pipeline.statistics.seed_pool import pool_seeds


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_table_of_newcombe_1998(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (7, 9), (50, 100)])
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    interval = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_wilson_refuses_impossible_counts() -> None:
    for hits, n in ((0, 0), (-1, 5), (6, 5)):
        with pytest.raises(InputError, match="needs n >= 1"):
            wilson(hits, n)


def test_sidak_by_hand() -> None:
    assert sidak_confidence(1) == pytest.approx(0.95)
    assert sidak_confidence(4) ** 4 == pytest.approx(0.95)
    with pytest.raises(InputError):
        sidak_confidence(0)


def test_one_seed_is_wilson_exactly() -> None:
    correct = np.arange(40)[None] < 27
    estimate = accuracy_over_seeds(correct)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(27, 40))
    assert (estimate.value, estimate.n) == (27 / 40, 40)


def test_identical_seeds_are_no_extra_images() -> None:
    one = np.arange(40)[None] < 27
    many = accuracy_over_seeds(one.repeat(5, axis=0))
    assert (many.low, many.high) == pytest.approx(wilson(27, 40))


def test_never_narrower_than_wilson_at_n_images() -> None:
    correct = np.array([[True, False] * 20, [False, True] * 20])  # per-image means do not vary at all
    estimate = accuracy_over_seeds(correct)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(20, 40))


@pytest.mark.parametrize("value", [False, True])
def test_all_wrong_and_all_right(value: bool) -> None:
    estimate = accuracy_over_seeds(np.full((3, 25), value))
    assert (estimate.low, estimate.high) == pytest.approx(wilson(25 * value, 25))


def test_seed_spread_widens_by_students_t() -> None:
    correct = np.zeros((2, 1000), bool)
    correct[0, :600] = True
    correct[1, :800] = True
    estimate = accuracy_over_seeds(correct)
    # Nearly all variance lies between two seeds: (0.2/sqrt 2)^2/2 = 0.01, about 1 degree of freedom.
    assert estimate.low < 0.2
    assert estimate.high > 0.9
    assert estimate.value == pytest.approx(0.7)


def test_no_images_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one"):
        accuracy_over_seeds(np.zeros((2, 0), bool))


def draw(rng: np.random.Generator, accuracy: float, n: int, shifts: np.ndarray, seed_sd: float) -> np.ndarray:
    """S x n, right where image + seed + chance (normal, sd 1.5, seed_sd, 1) exceed a threshold."""
    threshold = stats.norm.isf(accuracy) * np.sqrt(1 + 1.5**2 + seed_sd**2)
    latent = rng.normal(0, 1.5, n) + shifts[:, None] + rng.normal(size=(len(shifts), n))
    return np.asarray(latent > threshold)


@pytest.mark.parametrize("n", [50, 300, 2000])
@pytest.mark.parametrize(("n_seeds", "seed_sd"), [(2, 0), (2, 0.2), (3, 0), (3, 0.2), (5, 0.2), (10, 0.2)])
def test_coverage_of_the_true_accuracy(n_seeds: int, seed_sd: float, n: int) -> None:
    """New images and new seeds each time; a seed's accuracy has a standard deviation of 0 or 4 points."""
    rng = np.random.default_rng(1)
    repeats, inside, widths = 400, 0, []
    for _ in range(repeats):
        shifts = rng.normal(0, seed_sd, n_seeds)
        estimate = accuracy_over_seeds(draw(rng, 0.75, n, shifts, seed_sd))
        inside += estimate.low <= 0.75 <= estimate.high
        widths.append(estimate.high - estimate.low)
    assert inside / repeats >= 0.925  # 0.95 less what 400 repeats may be off
    low, high = wilson(0.75 * n, n)
    if n_seeds >= 3 and not seed_sd:
        assert np.median(widths) < 1.1 * (high - low), "seeds that do not differ cost next to nothing"


def test_variance_of_a_two_way_table_by_hand() -> None:
    table = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], bool)
    images, seeds, residual, effect = mean_variance(table)
    assert effect == 1
    # residuals of the additive fit: image means 1, .5, .5, 0; seed means .75, .25; mean .5
    assert residual == pytest.approx(8 * 0.0625 / (3 * 1) / 8)
    assert seeds == pytest.approx(0.125 / 2)
    assert images == pytest.approx(0.125 / 4 - residual)


@pytest.mark.parametrize(("s_image", "s_seed"), [(0.8, 0.0), (1.5, 0.0), (1.5, 0.4)])
def test_variance_of_the_mean_is_that_of_simulation(s_image: float, s_seed: float) -> None:
    """Counted once, the chance in single predictions: the two parts sum to the mean's true variance."""
    rng = np.random.default_rng(0)
    means, sums, twice = [], [], []
    for _ in range(1500):
        latent = rng.normal(0, s_image, 60) + rng.normal(0, s_seed, (3, 1)) + rng.normal(size=(3, 60))
        correct = latent > -0.5
        variance = mean_variance(correct)
        means.append(correct.mean())
        sums.append(variance.total)
        twice.append(variance.total + variance.residual)
    assert np.mean(sums) == pytest.approx(np.var(means), rel=0.12)
    if not s_seed:
        assert np.mean(twice) > 1.12 * np.var(means), "what counting it twice would say"


def test_half_width_by_hand() -> None:
    rng = np.random.default_rng(0)
    correct = draw(rng, 0.75, 400, np.array([-0.5, 0.1, 0.4]), 0.4)
    variance, p = mean_variance(correct), correct.mean()
    z, t = stats.norm.isf(0.025), stats.t.isf(0.025, 2)
    n_effective = z**2 * p * (1 - p) / (z**2 * variance.images + t**2 * variance.seeds)
    assert n_effective < 400
    estimate = accuracy_over_seeds(correct)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(p * n_effective, n_effective))


def test_two_seeds_borrow_from_the_other_groups_and_three_do_not() -> None:
    rng = np.random.default_rng(0)
    groups = [draw(rng, p, 500, rng.normal(0, 0.2, 2), 0.2) for p in (0.6, 0.7, 0.8, 0.9, 0.6, 0.75)]
    pool = pool_seeds(groups)
    assert pool is not None
    assert pool.freedom > 1.5
    alone = [accuracy_over_seeds(correct) for correct in groups]
    borrowed = [accuracy_over_seeds(correct, pool=pool) for correct in groups]
    widest, its_width = (max(e.high - e.low for e in estimates) for estimates in (alone, borrowed))
    assert its_width < 0.6 * widest
    three = draw(rng, 0.6, 500, rng.normal(0, 0.2, 3), 0.2)
    assert accuracy_over_seeds(three, pool=pool) == accuracy_over_seeds(three)
    certain = SeedPool(0.0, 1e9)
    capped = accuracy_over_seeds(groups[0], pool=certain)
    part = mean_variance(groups[0])
    p, z = groups[0].mean(), stats.norm.isf(0.025)
    seeds = max(part.seeds, part.residual)
    half2 = z**2 * part.images + stats.t.isf(0.025, MOST_POOLED) ** 2 * seeds
    n_effective = min(500, z**2 * p * (1 - p) / half2)
    assert capped.low == pytest.approx(wilson(p * n_effective, n_effective).low)


@pytest.mark.parametrize("kind", ["each its own", "all together", "two of four"])
def test_coverage_of_two_seeds_with_the_pool(kind: str) -> None:
    """However the groups share the seeds' shifts (sd of 4 points): never below 0.92 in any group."""
    rng = np.random.default_rng(0)
    truths, repeats = [0.95, 0.75, 0.6, 0.9], 150
    inside = np.zeros(4)
    for _ in range(repeats):
        shifts_2G = rng.normal(0, 0.2, (2, 4))
        if kind != "each its own":
            shifts_2G = np.repeat(shifts_2G[:, :1], 4, axis=1)
        sd_G = np.full(4, 0.2)
        if kind == "two of four":
            shifts_2G[:, [0, 3]], sd_G[[0, 3]] = 0, 0
        groups = [draw(rng, p, 400, shifts_2G[:, g], sd_G[g]) for g, p in enumerate(truths)]
        found = [accuracy_over_seeds(correct, pool=pool_seeds(groups)) for correct in groups]
        inside += [e.low <= p <= e.high for e, p in zip(found, truths, strict=True)]
    assert inside.min() / repeats >= 0.92


def test_groups_that_move_alike_know_no_more_than_one() -> None:
    rng = np.random.default_rng(0)
    own = [draw(rng, 0.7, 5000, rng.normal(0, 0.5, 2), 0.5) for _ in range(20)]
    shared = np.array([-0.5, 0.5])
    alike = [draw(rng, 0.7, 5000, shared, 0.5) for _ in range(20)]
    one = [draw(rng, 0.7, 5000, shared if g == 0 else np.zeros(2), 0.5) for g in range(20)]
    pools = [pool_seeds(groups) for groups in (own, alike, one)]
    assert all(pool is not None for pool in pools)
    freedom = [pool.freedom for pool in pools if pool is not None]
    assert freedom[0] > 5
    assert freedom[1] < 1.5
    assert freedom[2] < 1.5


def test_one_seed_one_group_or_perfect_groups_have_no_pool_to_read() -> None:
    ones = np.ones((2, 9), bool)
    assert pool_seeds([ones[:1], ones[:1]]) is None
    assert pool_seeds([ones]) is None
    assert pool_seeds([ones, ones]) == SeedPool(0.0, 0.0)
    assert accuracy_over_seeds(ones, pool=SeedPool(0.0, 0.0)).low == wilson(9, 9).low


def test_difference_of_independent_proportions_is_newcombes() -> None:
    first, second = (
        accuracy_over_seeds(np.arange(70)[None] < 56),
        accuracy_over_seeds(np.arange(80)[None] < 48),
    )
    found = independent_difference(first, second)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert found.n == 70
