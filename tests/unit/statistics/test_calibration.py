"""Slopes of actual on foretold changes: planted worlds where the slope is known, nulls, and too few."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.statistics.retrained.calibration import LEAST_RETRAININGS, Calibrated, calibrate

SLOPE = 30.0
Kind = Literal["subsets", "thinned"]


def plant(
    seed: int,
    *,
    n: int = 24,
    slope: float = SLOPE,
    noise: float = 1.0,
    shared: float = 0.0,
    n_groups: int = 4,
) -> tuple[Float64Array, Float64Array, Int64Array]:
    """Retrainings whose groups change by a slope times what was foretold, and by chance of their own."""
    rng = np.random.default_rng(seed)
    foretold_RH = 0.1 * rng.normal(size=(n, n_groups))
    chance_RH = noise * rng.normal(size=(n, n_groups)) + shared * rng.normal(size=(n, 1))
    return foretold_RH, slope * foretold_RH + chance_RH, np.arange(n)


def run(kind: Kind, seed: int, **world: float) -> Calibrated:
    return calibrate(kind, *plant(seed, **world))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["subsets", "thinned"])
@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_a_linear_world_has_its_slope_and_covers_what_was_held_out(kind: Kind, shared: float) -> None:
    runs = [run(kind, seed, shared=shared).record for seed in range(60)]
    slopes = [found.slope for found in runs if found.slope is not None]
    assert len(slopes) == 60
    assert np.mean([slope.value for slope in slopes]) == pytest.approx(SLOPE, rel=0.03)
    assert np.mean([slope.low <= SLOPE <= slope.high for slope in slopes]) >= 0.88
    coverage = float(np.mean([found.coverage.value for found in runs if found.coverage]))
    assert 0.93 <= coverage <= 0.985
    assert np.mean([found.status == "sizes" for found in runs]) >= 0.9


def test_an_offset_of_all_subsets_is_not_part_of_their_slope() -> None:
    foretold_RH, actual_RH, clusters_R = plant(0)
    record = calibrate("subsets", foretold_RH - 5.0, actual_RH - 2.0, clusters_R).record
    assert record.slope is not None
    assert record.slope.value == pytest.approx(SLOPE, rel=0.15)
    assert record.status == "sizes"


@pytest.mark.parametrize("kind", ["subsets", "thinned"])
def test_where_scores_say_nothing_sizes_are_not_spoken_of(kind: Kind) -> None:
    runs = [run(kind, seed, slope=0.0).record for seed in range(60)]
    assert np.mean([found.slope.low <= 0 <= found.slope.high for found in runs if found.slope]) >= 0.9
    assert np.mean([found.status == "order" for found in runs]) >= 0.9
    assert all(found.reason for found in runs if found.status == "order")


def test_one_slope_for_two_worlds_does_not_cover_and_is_found_out() -> None:
    found = []
    for seed in range(20):
        foretold_RH, actual_RH, clusters_R = plant(seed, n=40, noise=0.05)
        actual_RH[::4] *= 8  # some change eight times as much
        found.append(calibrate("thinned", foretold_RH, actual_RH, clusters_R).record)
    assert np.mean([record.status == "order" for record in found]) >= 0.9
    assert np.mean([record.coverage.value for record in found if record.coverage]) > 0.93, (
        "of all it seems to"
    )


def test_too_few_retrainings_are_insufficient_and_shares_of_one_group_are_one() -> None:
    few = run("thinned", 0, n=LEAST_RETRAININGS - 1)
    assert (few.record.status, few.record.slope, few.foretold) == ("insufficient", None, [])
    foretold_RH, actual_RH, _ = plant(0, n=6)
    assert (
        calibrate("thinned", foretold_RH, actual_RH, np.repeat([0, 1, 2], 2)).record.status == "insufficient"
    )
    assert calibrate("thinned", foretold_RH, actual_RH, np.arange(6)).record.status != "insufficient"
    flat = calibrate("thinned", np.zeros((6, 2)), np.ones((6, 2)), np.arange(6)).record
    assert (flat.status, flat.reason) == ("insufficient", "the scores foretell no change")


def test_a_change_is_foretold_by_the_others_alone() -> None:
    foretold_RH, actual_RH, clusters_R = plant(2, n=8, noise=0.1)
    before = calibrate("thinned", foretold_RH, actual_RH, clusters_R).foretold
    actual_RH[3] += 100.0
    after = calibrate("thinned", foretold_RH, actual_RH, clusters_R).foretold
    assert before[3] == after[3]
    assert before[4] != after[4]


def test_hand_worked_slope() -> None:
    foretold_RH, actual_RH = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[2.0], [4.0], [6.0], [8.0]])
    found = calibrate("thinned", foretold_RH, actual_RH, np.arange(4))
    assert found.record.slope is not None
    assert (found.record.slope.value, found.record.slope.low, found.record.slope.high) == (2.0, 2.0, 2.0)
    assert [row[0].value for row in found.foretold] == [2.0, 4.0, 6.0, 8.0]


def test_shapes_and_numbers_are_checked() -> None:
    with pytest.raises(InputError, match="one of each"):
        calibrate("thinned", np.ones((4, 2)), np.ones((4, 3)), np.arange(4))
    with pytest.raises(InputError, match="not finite"):
        calibrate("thinned", np.full((4, 2), np.nan), np.ones((4, 2)), np.arange(4))
