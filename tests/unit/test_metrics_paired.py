"""Paired gains: planted effects are recovered, nulls are not flagged, intervals cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.core.results import MethodComparison
from pipeline.metrics.comparison import compare_all, compare_methods
from pipeline.metrics.paired import paired_change
from pipeline.metrics.sign_flips import holm, sign_flip_p

NAMES = ["a", "b", "c", "d"]


def compare(before: np.ndarray, after: np.ndarray, groups: np.ndarray, worst: int) -> MethodComparison:
    return compare_methods(
        before, after, groups, NAMES, baseline_name="erm", method_name="dro", worst_group_index=worst, seed=0
    )


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
    assert result.p_value < 0.001
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


def test_null_p_values_are_uniform_and_intervals_cover_zero() -> None:
    rng = np.random.default_rng(0)
    groups = np.zeros(80, np.int64)  # one group: nothing was picked
    p_values, covered, covered_worst = [], 0, 0
    for _ in range(150):
        chance = np.clip(rng.normal(0.7, 0.2, len(groups)), 0, 1)
        before, after = rng.random((2, 1, len(groups))) < chance
        result = compare(before, after, groups, 0)
        p_values.append(result.p_value)
        covered += result.gain.low <= 0 <= result.gain.high
        covered_worst += result.worst_group_gain.low <= 0 <= result.worst_group_gain.high
    assert np.mean(np.array(p_values) < 0.05) <= 0.09
    assert 0.4 < np.mean(p_values) < 0.62  # ties push it a little above one half
    assert covered / 150 >= 0.9
    assert covered_worst / 150 >= 0.9


def test_the_worst_of_many_equal_groups_does_not_seem_repaired() -> None:
    """The baseline's worst of 40 equal groups: its next draw is better by luck alone."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 100)
    names = [str(g) for g in range(40)]
    false_alarms, gains = 0, []
    for _ in range(40):
        before, after = rng.random((2, 1, len(groups))) < 0.7
        worst = int(before.reshape(40, 100).mean(axis=1).argmin())
        result = compare_methods(
            before, after, groups, names, baseline_name="a", method_name="b", worst_group_index=worst, seed=0
        )
        false_alarms += result.gain.low > 0 or result.p_value < 0.05
        gains.append(result.gain.value)
    assert np.mean(gains) > 0.07, "what the interval has to allow for"
    assert false_alarms <= 4


def test_one_seed_is_mcnemars_exact_test() -> None:
    differences = np.concatenate([np.ones(18), -np.ones(6), np.zeros(100)])
    exact = stats.binomtest(18, 24, 0.5).pvalue
    assert exact == pytest.approx(0.02266, abs=1e-5)  # the table: 2 * P(X <= 6), X ~ Binomial(24, 1/2)
    assert sign_flip_p(differences, np.random.default_rng(0)) == exact


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # as R's p.adjust
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_every_group_has_mcnemars_test_and_holms_correction() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), [200, 100, 20, 300])
    before, after = draw(rng, [0.9, 0.5, 0.5, 0.8], groups, 1), draw(rng, [0.9, 0.8, 0.9, 0.8], groups, 1)
    result = compare_methods(
        before,
        after,
        groups,
        [*NAMES, "empty"],
        baseline_name="erm",
        method_name="dro",
        worst_group_index=1,
        seed=0,
        sufficient=[True, True, False, True, False],
    )
    for g, found in enumerate(result.groups[:4]):
        inside = groups == g
        rise = int((~before & after)[0, inside].sum())
        fall = int((before & ~after)[0, inside].sum())
        assert found.p_value == stats.binomtest(rise, rise + fall, 0.5).pvalue
        assert found.gain.value == pytest.approx((rise - fall) / inside.sum())
        assert found.gain.n == inside.sum()
    tested = [0, 1, 3]
    assert [result.groups[g].p_holm for g in tested] == holm([result.groups[g].p_value for g in tested])
    assert [g.p_holm is None for g in result.groups] == [False, False, True, False, True]
    assert [g.sufficient for g in result.groups] == [True, True, False, True, False]
    empty = result.groups[4]
    assert (empty.gain.n, empty.gain.low, empty.gain.high, empty.p_value) == (0, -1, 1, 1)
    assert result.groups[1].p_holm is not None
    assert result.groups[1].p_holm < 0.01
    assert result.gain.value == result.groups[1].gain.value
    assert result.gain.high - result.gain.low > result.groups[1].gain.high - result.groups[1].gain.low


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_holm_keeps_false_alarms_among_many_equal_groups_rare(n_seeds: int) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 60)
    alarms, p_values = 0, []
    for _ in range(40):
        chance = np.clip(rng.normal(0.7, 0.2, len(groups)), 0, 1)
        before, after = rng.random((2, n_seeds, len(groups))) < chance
        found = compare_methods(
            before,
            after,
            groups,
            [str(g) for g in range(6)],
            baseline_name="a",
            method_name="b",
            worst_group_index=0,
            seed=0,
        ).groups
        p_values += [g.p_value for g in found]
        alarms += any(g.p_holm is not None and g.p_holm < 0.05 for g in found)
    shares = [np.mean(np.array(p_values) <= level) for level in (0.05, 0.2, 0.5)]
    assert all(share <= level + 0.05 for share, level in zip(shares, (0.05, 0.2, 0.5), strict=True))
    assert shares[1] > 0.08, "ties make the exact test cautious, not blind"
    assert alarms <= 5


def test_several_methods_are_corrected_for_having_been_tried() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(2), 300)
    baseline = draw(rng, [0.9, 0.6], groups)
    methods = {
        "good": draw(rng, [0.9, 0.75], groups),
        "same": draw(rng, [0.9, 0.6], groups),
        "none": baseline.copy(),
    }
    found = compare_all(
        baseline, methods, groups, NAMES[:2], baseline_name="erm", worst_group_index=1, seed=0
    )
    assert [c.method for c in found] == ["good", "same", "none"]
    assert [c.p_holm for c in found] == holm([c.p_value for c in found])
    for c in found:
        alone = compare_methods(
            baseline,
            methods[c.method],
            groups,
            NAMES[:2],
            baseline_name="erm",
            method_name=c.method,
            worst_group_index=1,
            seed=0,
        )
        assert c == alone.model_copy(update={"p_holm": c.p_holm})
    assert found[0].p_holm is not None
    assert found[0].p_value < found[0].p_holm < 0.01
    assert found[1].p_holm == found[2].p_holm == 1
    assert compare_all(baseline, {}, groups, NAMES, baseline_name="erm", worst_group_index=1, seed=0) == []


def test_sign_flips_equal_brute_force() -> None:
    rng = np.random.default_rng(0)
    differences = rng.choice(
        [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1], 12, p=[0.05, 0.1, 0.1, 0.3, 0.15, 0.15, 0.15]
    )
    signs = np.array(np.meshgrid(*[[-1, 1]] * 12)).reshape(12, -1)
    exact = np.mean(np.abs(differences @ signs) >= abs(differences.sum()) - 1e-9)
    assert sign_flip_p(differences, rng) == pytest.approx(exact, abs=0.015)


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


@pytest.mark.parametrize(("n_seeds", "seed_sd"), [(2, 0.2), (3, 0.0), (3, 0.2), (5, 0.2)])
def test_gains_are_covered_for_new_seeds(n_seeds: int, seed_sd: float) -> None:
    """Planted gain of 10 points; each side's seeds have a standard deviation of 0 or 4 points."""
    rng = np.random.default_rng(0)
    n, repeats = 1000, 100
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
