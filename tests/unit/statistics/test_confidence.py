"""Confidence beside accuracy: what is planted is found, and chance is told from it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import Float64Array
from pipeline.records.evaluation import ModelCalibration
from pipeline.statistics.accuracy.calibration import measure_calibration

NAMES = ["a", "b", "none"]


def measure(
    confidence_SN: Float64Array, truth_SN: Float64Array, seed: int = 0, *, scenes: int = 1
) -> ModelCalibration:
    """Models that are right as often as `truth_SN`, scenes of so many images alike."""
    luck_SN = np.random.default_rng(seed).random((len(truth_SN), truth_SN.shape[1] // scenes))
    n = confidence_SN.shape[1]
    return measure_calibration(
        confidence_SN,
        np.repeat(luck_SN, scenes, axis=1) < truth_SN,
        np.arange(n) % 2,
        NAMES,
        min_images=100,
        sources_N=None if scenes == 1 else np.arange(n) // scenes,
    )


def uniform(n: int, n_seeds: int = 2) -> Float64Array:
    return np.random.default_rng(999).uniform(0.5, 1, (n_seeds, n))


def test_a_calibrated_model_has_what_chance_gives() -> None:
    own_SN = uniform(2000)
    found = [measure(own_SN, own_SN, seed) for seed in range(20)]
    assert np.mean([f.error.value for f in found]) == pytest.approx(found[0].error_if_calibrated, rel=0.15)
    assert sum(f.overconfidence.low <= 0 <= f.overconfidence.high for f in found) >= 18


def test_too_sure_in_one_group_alone() -> None:
    own_SN = uniform(4000)
    found = measure(own_SN, own_SN - 0.2 * (np.arange(4000) % 2))
    sound, hurt = found.groups
    assert [g.name for g in found.groups] == ["a", "b"], "no image is of the third"
    assert sound.low <= 0 <= sound.high
    assert hurt.low <= 0.2 <= hurt.high
    assert found.error.value == pytest.approx(0.1, abs=0.03)


def test_mistakes_in_both_directions_do_not_cancel_out() -> None:
    own_SN = np.tile([0.6, 0.9], 1000)[None]
    found = measure(own_SN, np.tile([0.75, 0.75], 1000)[None])
    assert found.error.value == pytest.approx(0.15, abs=0.03)
    assert found.overconfidence.low <= 0 <= found.overconfidence.high
    assert [round(b.confidence, 6) for b in found.bins] == [0.6, 0.9], "equal ones stay together"


def test_scenes_count_as_one() -> None:
    own_SN = np.full((1, 2000), 0.8)
    wide, narrow = (measure(own_SN, own_SN, scenes=n).overconfidence for n in (20, 1))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


@pytest.mark.parametrize("n", [1, 3])
def test_few_images_and_sure_models(n: int) -> None:
    found = measure(np.ones((1, n)), np.ones((1, n)))
    assert (found.error.value, found.error_if_calibrated) == (0, 0)
    assert not any(group.sufficient for group in found.groups)
