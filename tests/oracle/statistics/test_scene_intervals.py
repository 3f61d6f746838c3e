"""Frames of a scene are right or wrong together: intervals and gains are for new scenes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.scene_intervals import covers
from pipeline.records.base import GroupEstimate
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.worst_group import is_clearly_below
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.cues.cue_use import natural_shift
from pipeline.statistics.cues.interaction import MeasuredGroups
from pipeline.verdict.phrases import accuracy_brief


def held(n_draws: int, *, known: bool, gains: bool) -> npt.NDArray[np.float64]:
    """How often the intervals hold the truth: 20 scenes whose frames are right or wrong together."""
    draws = [covers(np.random.default_rng(i), 0.6, 1.0, 20, known=known, gains=gains) for i in range(n_draws)]
    return np.mean(draws, axis=0)


def test_intervals_hold_what_whole_scenes_decide() -> None:
    assert (held(30, known=True, gains=False) >= 0.9).all()
    assert (held(10, known=False, gains=False) < 0.6).all()


def test_gains_hold_what_whole_scenes_decide() -> None:
    assert held(10, known=True, gains=True)[-1] >= 0.9
    assert held(10, known=False, gains=True)[-1] < 0.6


def test_a_change_over_sources_of_one_image_is_the_plain_one() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random((3, 300)) < 0.6, rng.random((3, 300)) < 0.7
    plain = paired_change(before, after)
    alone = paired_change(before, after, sources_N=rng.permutation(300))
    assert alone.value == plain.value
    assert alone.low == pytest.approx(plain.low, abs=0.01)
    assert alone.high == pytest.approx(plain.high, abs=0.01)
    single = paired_change(before, after, sources_N=np.zeros(300, np.int64))
    assert (single.low, single.high) == (-1.0, 1.0), "one scene says nothing about others"


def scene_group(right: bool, n_scenes: int) -> GroupEstimate:
    """The first of two groups, all of whose frames are right, or wrong; the other is right in 9 of 10."""
    sources = np.repeat(np.arange(n_scenes + 20), 30)
    groups = (sources >= n_scenes).astype(np.int64)
    correct = np.where(groups == 0, right, sources % 10 > 0)[None]
    found = split_metrics(
        correct, groups, group_names=["a", "b"], n_train=[9, 9], seeds=[0], min_images=10, sources_N=sources
    )
    assert found.n_sources == n_scenes + 20
    return found.groups[0]


def test_a_single_wrong_scene_is_not_a_bad_group_and_ten_are() -> None:
    one, ten = scene_group(False, 1), scene_group(False, 10)
    assert (one.n, one.n_sources, one.n_effective) == (30, 1, 1.0)
    assert not is_clearly_below(one, 0.9, 2)
    assert is_clearly_below(one.model_copy(update={"n_effective": None, "high": 0.1}), 0.9, 2)
    assert is_clearly_below(ten, 0.9, 2)
    assert accuracy_brief(ten).endswith("n = 300 of 10 sources)")


def test_contrasts_of_groups_and_natural_shifts_count_scenes() -> None:
    sources = np.repeat(np.arange(40), 30)
    accuracy, n = np.array([[0.9, 0.6]]), np.array([600.0, 600.0])
    weights = np.array([1.0, -1.0])
    frames = MeasuredGroups(accuracy, n).contrast(weights).points
    scenes = MeasuredGroups(accuracy, n, np.array([20.0, 20.0])).contrast(weights).points
    assert scenes.n == frames.n == 600
    assert (scenes.high - scenes.low) > 4 * (frames.high - frames.low)
    values, favored = sources % 2, np.eye(2, dtype=bool)
    predicted = np.repeat(np.random.default_rng(0).integers(2, size=40), 30)[None]
    widths = []
    for given in (None, sources):
        shift = natural_shift(predicted, np.zeros(1200, np.int64), values, favored, given)
        assert shift is not None
        widths.append(shift.high - shift.low)
    assert widths[1] > 4 * widths[0]
