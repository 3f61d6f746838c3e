"""Intervals of statistics of several images: closed forms for means, coverage, pairs, groups, sources."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array
from pipeline.statistics.generalization.calibration import ece_debiased
from pipeline.statistics.generalization.resampled import (
    estimate_statistic,
    group_difference,
    paired_difference,
)
from pipeline.statistics.means import estimate_mean


def _mean(values_SnC: Float64Array) -> float:
    return float(values_SnC.mean())


def _error(values_SnC: Float64Array) -> float:
    return float(ece_debiased(values_SnC[:, :, 0], values_SnC[:, :, 1]).mean())


def _model(rng: np.random.Generator, shape: tuple[int, int], gap: float) -> Float64Array:
    """Networks that agree about most images; they are surer than they are right by `gap`."""
    confidence_SN = np.clip(rng.uniform(0.7, 0.99, shape[1]) + 0.01 * rng.normal(size=shape), 0.5, 1)
    luck_SN = np.where(rng.random(shape) < 0.5, rng.random(shape[1]), rng.random(shape))
    return np.stack([confidence_SN, luck_SN < confidence_SN - gap], axis=2)


def test_mean_is_the_closed_form() -> None:
    values_SN = np.random.default_rng(0).random((3, 40))
    values_SN[0, 3] = values_SN[:, 5] = np.nan
    found = estimate_statistic(values_SN[:, :, None], None, least=0, most=1, seed=0)
    assert found == estimate_mean(values_SN)


def test_redrawn_mean_agrees_with_the_closed_form() -> None:
    values_SnC = np.random.default_rng(0).random((3, 60, 1))
    closed = estimate_statistic(values_SnC, None, least=0, most=1, seed=0)
    drawn = estimate_statistic(values_SnC, _mean, least=0, most=1, seed=0, n_resamples=2000)
    assert closed is not None
    assert drawn is not None
    assert (drawn.value, drawn.low, drawn.high) == pytest.approx(
        (closed.value, closed.low, closed.high), abs=0.006
    )
    assert drawn.n == 60


@pytest.mark.slow
@pytest.mark.parametrize(("n_seeds", "n", "gap"), [(1, 300, 0.0), (1, 300, 0.05), (3, 150, 0.12)])
def test_interval_of_the_calibration_error_covers(n_seeds: int, n: int, gap: float) -> None:
    rng = np.random.default_rng(0)
    inside, n_sets = 0, 80
    for seed in range(n_sets):
        values_SnC = _model(rng, (n_seeds, n), gap)
        found = estimate_statistic(values_SnC, _error, least=0, most=1, seed=seed, n_resamples=40)
        assert found is not None
        inside += found.low <= gap <= found.high
    assert inside / n_sets >= 0.88


def test_noise_subtracted_below_the_least_is_the_least() -> None:
    values_SnC = np.stack([np.full((1, 40), 0.75), (np.arange(40) < 30)[None]], axis=2)
    assert _error(values_SnC) < 0
    found = estimate_statistic(values_SnC, _error, least=0, most=1, seed=0)
    assert found is not None
    assert found.low == found.value == 0
    assert 0 <= found.high < 0.2


def test_pairs_share_their_images() -> None:
    rng = np.random.default_rng(0)
    first_SnC = _model(rng, (3, 400), 0.15)
    second_SnC = first_SnC.copy()
    second_SnC[:, :, 0] -= 0.08  # the same answers, less sure
    found = paired_difference(first_SnC, second_SnC, _error, least=0, most=1, seed=0)
    same = paired_difference(first_SnC, first_SnC, _error, least=0, most=1, seed=0)
    apart = group_difference(first_SnC, second_SnC, _error, least=0, most=1, seed=0)
    assert found is not None
    assert same is not None
    assert apart is not None
    assert found.low < 0.08 < found.high
    assert found.high - found.low < 0.9 * (apart.high - apart.low)
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_pairs_of_means_are_means_of_differences() -> None:
    rng = np.random.default_rng(0)
    first_SnC, second_SnC = rng.random((3, 50, 1)), rng.random((4, 50, 1))
    found = paired_difference(first_SnC, second_SnC, None, least=0, most=1, seed=0)
    assert found == estimate_mean((first_SnC - second_SnC[:3])[:, :, 0], least=-1)


def test_groups_of_means_add_their_images_variances() -> None:
    rng = np.random.default_rng(0)
    inside_SnC, outside_SmC = rng.random((1, 80, 1)), rng.random((1, 200, 1))
    found = group_difference(inside_SnC, outside_SmC, None, least=0, most=1, seed=0)
    assert found is not None
    variance = inside_SnC.var(ddof=1) / 80 + outside_SmC.var(ddof=1) / 200
    assert found.value == pytest.approx(inside_SnC.mean() - outside_SmC.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.99 * np.sqrt(variance), rel=0.01)
    assert found.n == 80


def test_what_seeds_have_in_common_drops_out_of_a_difference_of_groups() -> None:
    rng = np.random.default_rng(0)
    shift_S11 = rng.normal(size=(4, 1, 1))
    inside_SnC, outside_SmC = (0.1 * rng.normal(size=(4, n, 1)) + shift_S11 for n in (60, 90))
    found = group_difference(inside_SnC, outside_SmC, None, least=-9, most=9, seed=0)
    alone = estimate_statistic(inside_SnC, None, least=-9, most=9, seed=0)
    assert found is not None
    assert alone is not None
    assert found.high - found.low < 0.1 * (alone.high - alone.low)


@pytest.mark.parametrize("statistic", [None, _mean])
def test_scenes_are_redrawn_as_wholes(statistic: Callable[[Float64Array], float] | None) -> None:
    rng = np.random.default_rng(0)
    sources_N = np.repeat(np.arange(40), 10)
    values_SnC = np.clip(rng.normal(0.5, 0.1, 40)[sources_N], 0, 1)[None, :, None]
    single = estimate_statistic(values_SnC, statistic, least=0, most=1, seed=0)
    scenes = estimate_statistic(values_SnC, statistic, least=0, most=1, seed=0, sources_N=sources_N)
    assert single is not None
    assert scenes is not None
    # ten images of a scene say as much as one
    assert (scenes.high - scenes.low) / (single.high - single.low) == pytest.approx(np.sqrt(10), rel=0.15)
    assert scenes.n == single.n == 400


def test_images_without_a_number_are_left_out() -> None:
    values_SnC = np.random.default_rng(0).random((3, 60, 2))
    with_gaps_SnC = np.insert(values_SnC, 7, np.nan, axis=1)
    with_gaps_SnC = np.insert(with_gaps_SnC, 1, np.nan, axis=0)
    whole = estimate_statistic(values_SnC, _mean, least=0, most=1, seed=0)
    assert estimate_statistic(with_gaps_SnC, _mean, least=0, most=1, seed=0) == whole
    nothing = np.full((2, 5, 2), np.nan)
    assert estimate_statistic(nothing, _mean, least=0, most=1, seed=0) is None
    assert group_difference(nothing, values_SnC[:2], _mean, least=0, most=1, seed=0) is None
    assert group_difference(values_SnC[:, :0], values_SnC, _mean, least=0, most=1, seed=0) is None


def test_several_columns_need_a_statistic_and_groups_the_same_seeds() -> None:
    with pytest.raises(InputError, match="one column"):
        estimate_statistic(np.zeros((1, 5, 2)), None, least=0, most=1, seed=0)
    with pytest.raises(InputError, match="1 and 2 seeds"):
        group_difference(np.zeros((1, 5, 2)), np.zeros((2, 5, 2)), _mean, least=0, most=1, seed=0)


def test_five_seeds_of_300_images_take_a_fraction_of_a_second() -> None:
    values_SnC = _model(np.random.default_rng(0), (5, 300), 0.1)
    start = time.process_time()
    estimate_statistic(values_SnC, _error, least=0, most=1, seed=0)
    assert time.process_time() - start < 0.6  # .07 s where nobody else computes
