"""The minimum of noisy groups: its null is that of simulation, and correcting it removes the bias."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.worst_group import correct_minimum, expected_minimum


def test_seventy_percent_in_sixty_cells_looks_like_sixty_two() -> None:
    simulated = (np.random.default_rng(0).binomial(166, 0.7, (20_000, 60)) / 166).min(axis=1).mean()
    assert expected_minimum(0.7, [166] * 60) == pytest.approx(simulated, abs=0.001)
    assert simulated == pytest.approx(0.616, abs=0.001)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "sizes", "raw_bias", "left"),
    [
        (np.full(60, 0.7), [166] * 60, -0.084, 0.035),  # 60 equal groups: the worst case
        (np.full(4, 0.7), [300] * 4, -0.027, 0.018),
        (np.array([0.95, 0.61, 0.6, 0.95]), [300] * 4, -0.012, 0.009),
        (np.array([0.95, 0.75, 0.6, 0.95]), [300] * 4, 0.0, 0.005),  # nothing to correct
    ],
)
def test_correction_shrinks_the_bias(
    truth: np.ndarray, sizes: list[int], raw_bias: float, left: float
) -> None:
    rng = np.random.default_rng(0)
    n = np.array(sizes, float)
    drawn = rng.binomial(sizes, truth, (60, len(truth))) / n
    raw = drawn.min(axis=1) - truth.min()
    corrected = np.array([correct_minimum(row, n) for row in drawn]) - truth.min()
    assert raw.mean() == pytest.approx(raw_bias, abs=0.008)
    assert abs(corrected.mean()) <= left + 0.003
    assert np.abs(corrected.mean()) <= max(0.6 * np.abs(raw.mean()), 0.008)


def test_one_group_needs_no_correction_and_perfect_groups_stay_perfect() -> None:
    assert correct_minimum(np.array([0.7]), np.array([50.0])) == 0.7
    assert correct_minimum(np.ones(4), np.full(4, 50.0)) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("truth", [[0.7] * 12, [0.95, 0.75, 0.6, 0.95], [0.9, 0.62, 0.6, 0.9]])
def test_the_interval_covers_the_true_minimum(truth: list[float]) -> None:
    rng = np.random.default_rng(0)
    n_groups, covered, equal_gap = len(truth), 0, []
    groups = np.repeat(np.arange(n_groups), 200)
    for _ in range(80):
        result = split_metrics(
            (rng.random(len(groups)) < np.array(truth)[groups])[None],
            groups,
            group_names=[str(g) for g in range(n_groups)],
            n_train=[1] * n_groups,
            seeds=[0],
            min_images=1,
        )
        corrected, gap = result.worst_group_corrected, result.gap
        assert corrected is not None
        assert gap is not None
        assert gap.value == pytest.approx(result.average.value - corrected.value)
        assert corrected.value >= result.worst_group.value
        covered += corrected.low <= min(truth) <= corrected.high
        equal_gap.append(gap.low <= np.mean(truth) - min(truth) <= gap.high)
    assert covered / 80 >= 0.9
    assert np.mean(equal_gap) >= 0.93
