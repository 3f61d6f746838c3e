"""Paired gains: planted effects are recovered, nulls are not flagged, intervals cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.records.evaluation import MethodComparison
from pipeline.statistics.accuracy.worst_group import lowest_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_all, compare_methods
from pipeline.statistics.comparison.paired import measure_change, paired_change
from pipeline.statistics.multiplicity import holm

NAMES = ["a", "b", "c", "d"]


def contender(method: str, correct: np.ndarray, groups: np.ndarray) -> Contender:
    """All groups that have images count."""
    present = np.unique(groups)
    accuracy = np.zeros(present.max() + 1)
    accuracy[present] = [correct[:, groups == g].mean() for g in present]
    return Contender(method, correct, lowest_of(accuracy, present.tolist()))


def compare(before: np.ndarray, after: np.ndarray, groups: np.ndarray, worst: int) -> MethodComparison:
    sides = contender("erm", before, groups), contender("dro", after, groups)
    return compare_methods(*sides, groups, NAMES, target=Target(worst, 4), seed=0)


def compare_equal(before: np.ndarray, after: np.ndarray, groups: np.ndarray, worst: int) -> MethodComparison:
    """The worst of all groups, named by number."""
    names = [str(g) for g in range(groups.max() + 1)]
    sides = contender("a", before, groups), contender("b", after, groups)
    return compare_methods(*sides, groups, names, target=Target(worst, len(names)), seed=0)


def draw(rng: np.random.Generator, accuracy: list[float], groups: np.ndarray, n_seeds: int = 3) -> np.ndarray:
    return rng.random((n_seeds, len(groups))) < np.array(accuracy)[groups]


def test_planted_gain_is_found_in_the_worst_group() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), [400, 200, 200, 400])
    result = compare(
        draw(rng, [0.95, 0.6, 0.8, 0.95], groups), draw(rng, [0.93, 0.85, 0.85, 0.93], groups), groups, 1
    )
    assert (result.group, result.baseline, result.method) == ("b", "erm", "dro")
    assert result.gain.value == pytest.approx(0.25, abs=0.05)
    assert 0 < result.gain.low < 0.25 < result.gain.high
    assert result.worst_group_gain.low > 0.1
    assert result.p_value is not None
    assert result.p_value < 0.05
    assert len(result.per_seed_gain) == 3


def test_identical_methods_gain_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 50)
    before = draw(rng, [0.9, 0.6, 0.8, 0.9], groups)
    result = compare(before, before.copy(), groups, 1)
    assert (result.gain.value, result.gain.low, result.gain.high, result.p_value) == (0, 0, 0, 1)
    assert result.worst_group_gain.value == 0
    assert result.per_seed_gain == [0, 0, 0]


def test_surplus_seeds_are_left_out() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(2), 60)
    before, after = draw(rng, [0.9, 0.6], groups, 2), draw(rng, [0.9, 0.7], groups, 5)
    assert compare(before, after, groups, 1) == compare(before, after[:2], groups, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("n_seeds", "repeats"), [(1, 80), (3, 80)])
def test_null_intervals_cover_zero_and_p_values_are_theirs(n_seeds: int, repeats: int) -> None:
    rng = np.random.default_rng(0)
    groups = np.zeros(80, np.int64)  # one group: nothing was picked
    p_values, covered, covered_worst = [], 0, 0
    for _ in range(repeats):
        chance = np.clip(rng.normal(0.7, 0.2, len(groups)), 0, 1)
        before, after = rng.random((2, n_seeds, len(groups))) < chance
        result = compare_equal(before, after, groups, 0)
        assert (result.p_value is None) == (n_seeds < 3), "one training says nothing about training"
        if result.p_value is not None:
            p_values.append(result.p_value)
            assert (result.p_value < 0.05) == (result.gain.low > 0 or result.gain.high < 0)
        covered += result.gain.low <= 0 <= result.gain.high
        covered_worst += result.worst_group_gain.low <= 0 <= result.worst_group_gain.high
    assert covered / repeats >= 0.9
    assert covered_worst / repeats >= 0.9
    if p_values:
        assert np.mean(np.array(p_values) < 0.05) <= 0.07
        assert 0.4 < np.mean(p_values) < 0.62


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_the_worst_of_many_equal_groups_does_not_seem_repaired(n_seeds: int) -> None:
    """The baseline's worst of 40 equal groups: its next draw is better by luck alone."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 100)
    false_alarms, gains = 0, []
    for _ in range(10):
        shifts = 0.04 * rng.normal(size=(2, n_seeds, 40)) * (n_seeds > 1)
        before, after = rng.random((2, n_seeds, len(groups))) < 0.7 + np.repeat(shifts, 100, axis=2)
        worst = int(before.mean(axis=0).reshape(40, 100).mean(axis=1).argmin())
        result = compare_equal(before, after, groups, worst)
        false_alarms += result.gain.low > 0
        gains.append(result.gain.value)
    assert np.mean(gains) > 0.05, "what the interval has to allow for"
    assert false_alarms <= 1


@pytest.mark.slow
def test_some_method_seems_to_gain_in_one_null_of_twenty_at_most() -> None:
    """Five methods that are the baseline trained again, whose seeds scatter by 5 points in every group."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 200)
    alarms = 0
    for _ in range(12):
        shifted = 0.75 + 0.05 * rng.normal(size=(6, 3, 4))
        tried = rng.random((6, 3, len(groups))) < np.repeat(shifted, 200, axis=2)
        baseline, *others = tried
        worst = int(baseline.mean(axis=0).reshape(4, 200).mean(axis=1).argmin())
        found = compare_all(
            contender("erm", baseline, groups),
            [contender(str(i), other, groups) for i, other in enumerate(others)],
            groups,
            NAMES,
            target=Target(worst, 4),
            seed=0,
        )
        alarms += any(c.p_value is not None and c.p_value < 0.05 for c in found)
    assert alarms <= 1


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # as R's p.adjust
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_every_group_has_its_p_value_and_holms_correction() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), [200, 100, 20, 300])
    before, after = draw(rng, [0.9, 0.5, 0.5, 0.8], groups, 5), draw(rng, [0.9, 0.8, 0.9, 0.8], groups, 5)
    result = compare_methods(
        contender("erm", before, groups),
        contender("dro", after, groups),
        groups,
        [*NAMES, "empty"],
        target=Target(1, 4),
        seed=0,
        sufficient=[True, True, False, True, False],
    )
    for g, found in enumerate(result.groups[:4]):
        inside = groups == g
        change = after[:, inside].mean() - before[:, inside].mean()
        assert found.gain.value == pytest.approx(change)
        assert found.gain.n == inside.sum()
        if found.p_value is not None:
            assert (found.p_value < 0.05) == (found.alone.low > 0 or found.alone.high < 0)
    tested = [result.groups[g].p_value for g in (0, 1, 3)]
    assert [result.groups[g].p_holm for g in (0, 1, 3)] == holm([p for p in tested if p is not None])
    assert [g.p_value is None for g in result.groups] == [False, False, True, False, True]
    assert [g.p_holm is None for g in result.groups] == [False, False, True, False, True]
    assert [g.sufficient for g in result.groups] == [True, True, False, True, False]
    empty = result.groups[4]
    assert (empty.gain.n, empty.gain.low, empty.gain.high, empty.p_value) == (0, -1, 1, None)
    assert result.groups[1].p_holm is not None
    assert result.groups[1].p_holm < 0.01
    assert result.gain == result.groups[1].gain, "one quantity has one interval"
    for found in result.groups[:4]:
        assert found.gain.value == found.alone.value
        assert found.gain.high - found.gain.low > found.alone.high - found.alone.low


def test_without_images_in_doubt_the_p_value_is_students() -> None:
    """Seeds that differ by whole groups of images: what is left is the paired t test over seeds."""
    n = 20_000
    gains = np.array([0.10, 0.16, 0.13, 0.08, 0.18])
    before = np.zeros((5, n), bool)
    after = np.arange(n) < np.round(gains * n)[:, None]
    shuffled = np.random.default_rng(0).permuted(after, axis=1)
    found = measure_change(before, shuffled)
    assert found.p_value == pytest.approx(stats.ttest_1samp(gains, 0).pvalue, rel=0.15)


def test_several_methods_are_corrected_for_having_been_tried() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(2), 300)
    baseline = draw(rng, [0.9, 0.6], groups, 5)
    good = draw(rng, [0.9, 0.75], groups, 5)
    methods = {"good": good, "same": draw(rng, [0.9, 0.6], groups, 5), "none": baseline.copy()}
    erm, *others = (contender(m, side, groups) for m, side in {"erm": baseline, **methods}.items())
    options = {"target": Target(1, 2), "seed": 0}
    found = compare_all(erm, others, groups, NAMES[:2], **options)
    alone = compare_all(erm, others[:1], groups, NAMES[:2], **options)[0]
    assert [c.method for c in found] == ["good", "same", "none"]
    assert alone.p_value is not None
    assert found[0].p_value == pytest.approx(3 * alone.p_value)
    assert found[0].p_value < 0.01
    assert found[0].gain.low < alone.gain.low
    assert found[2].p_value == 1
    assert compare_all(erm, [], groups, NAMES, **options) == []


def test_pattern_bootstrap_equals_redrawing_images() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random((1, 120)) < 0.8, rng.random((1, 120)) < 0.7
    estimate = paired_change(before, after)
    difference = after[0].astype(float) - before[0]
    slow = difference[rng.integers(120, size=(4000, 120))].mean(axis=1)
    assert estimate.value == pytest.approx(difference.mean())
    assert (estimate.low, estimate.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.012)


def test_change_keeps_the_mix_of_groups() -> None:
    groups = np.repeat([0, 1], [50, 150])
    before = np.ones((2, 200), bool)
    after = np.tile(groups == 1, (2, 1))  # one group fails completely, the other not at all
    stratified = paired_change(before, after, groups)
    assert (stratified.value, stratified.low, stratified.high) == pytest.approx((-0.25,) * 3, abs=0.03)
    assert stratified.low < -0.25 < stratified.high  # 50 images that all fail leave some doubt
    assert stratified.n == 200
    assert paired_change(before, after).low < -0.3


@pytest.mark.parametrize("n", [1, 20, 2000])
def test_unanimous_images_leave_the_doubt_that_so_few_leave(n: int) -> None:
    ones = np.ones((2, n), bool)
    same, fall = paired_change(ones, ones), paired_change(ones, ~ones)
    assert (same.value, fall.value, fall.low) == (0, -1, -1)
    rule_of_three = min(1.0, 3 / n)
    for width in (same.high, -same.low, fall.high + 1):
        assert 0.4 * rule_of_three <= width <= 3 * rule_of_three


@pytest.mark.parametrize(
    ("rise", "fall", "n"), [(0.01, 0.01, 60), (0.0, 0.02, 100), (0.05, 0.2, 40), (0.3, 0.3, 157)]
)
def test_changes_are_covered_even_when_they_are_rare(rise: float, fall: float, n: int) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(150):
        before, luck = rng.random((1, n)) < 0.5, rng.random((1, n))
        after = np.where(before, luck >= 2 * fall, luck < 2 * rise)
        change = paired_change(before, after, seed=seed)
        covered += change.low <= rise - fall <= change.high
    assert covered / 150 >= 0.91


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    before = np.ones((3, 2000), bool)
    same = rng.random((3, 2000)) < 0.8
    spread = rng.random((3, 2000)) < np.array([[0.6], [0.8], [1.0]])
    narrow, wide = paired_change(before, same), paired_change(before, spread)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_seeds_that_gain_alike_by_luck_leave_the_doubt_that_their_images_leave() -> None:
    """Each of three seeds is put right on two images, each on others: equal gains say little."""
    before = np.ones((3, 100), bool)
    for seed in range(3):
        before[seed, 2 * seed : 2 * seed + 2] = False
    found = measure_change(before, np.ones((3, 100), bool))
    assert found.estimate.value == pytest.approx(0.02)
    assert found.estimate.high - found.estimate.low > 0.02
    assert found.p_value is not None
    assert found.p_value > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("n_seeds", "seed_sd"), [(2, 0.2), (3, 0.0), (3, 0.2), (5, 0.2)])
def test_gains_are_covered_for_new_seeds(n_seeds: int, seed_sd: float) -> None:
    """Planted gain of 10 points; each side's seeds have a standard deviation of 0 or 4 points."""
    rng = np.random.default_rng(0)
    n, repeats = 1000, 60
    spread = np.sqrt(1 + 1.5**2 + seed_sd**2)
    covered, widths = 0, []
    for seed in range(repeats):
        easy = rng.normal(0, 1.5, n)
        before, after = (
            easy + rng.normal(0, seed_sd, (n_seeds, 1)) + rng.normal(size=(n_seeds, n))
            > stats.norm.isf(accuracy) * spread
            for accuracy in (0.6, 0.7)
        )
        change = paired_change(before, after, seed=seed)
        covered += change.low <= 0.1 <= change.high
        widths.append(change.high - change.low)
    assert covered / repeats >= 0.9
    if not seed_sd:
        assert np.median(widths) < 0.075, "one seed: 0.060; three that do not differ cannot cost much"


def test_same_seed_same_interval() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random((2, 2, 100)) < 0.7
    assert paired_change(before, after, seed=4) == paired_change(before, after, seed=4)


def test_bad_input_is_refused() -> None:
    ones = np.ones((1, 5), bool)
    with pytest.raises(InputError, match="cannot pair"):
        paired_change(ones, np.ones((1, 6), bool))
    with pytest.raises(InputError, match="group entries"):
        paired_change(ones, ones, np.zeros(4, np.int64))
    with pytest.raises(InputError, match="no image of that group"):
        compare(ones, ones, np.zeros(5, np.int64), 2)
