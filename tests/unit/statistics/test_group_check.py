"""Foretold against actual changes after thinning: hand-worked, planted, and null."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array
from pipeline.records.attribution import GroupChange
from pipeline.records.data import GroupInfo
from pipeline.statistics.retrained.group_check import (
    Thinned,
    correlation_within,
    fisher_interval,
    group_check,
)
from pipeline.statistics.retrained.group_rule import group_rule, rule_sums

NAMES = ["a", "b", "c", "d"]
GROUPS = np.repeat(np.arange(4), 25)
# a and b are one class, a and c have one attribute value
CELLS = [
    GroupInfo(
        name=n,
        label="y" if n in "cd" else "x",
        attribute="v" if n in "bd" else "u",
        n_train=9,
        n_val=9,
        n_test=25,
    )
    for n in NAMES
]
RULE = -group_rule(CELLS)


def margins(rng: np.random.Generator, change_H: Float64Array, n: int = 3, shift: float = 0.3) -> Float64Array:
    """Trainings whose groups' means change as given, with chance of each training and of each image."""
    noise = shift * rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 100))
    found: Float64Array = 2.0 + np.asarray(change_H)[GROUPS] + noise
    return found


def test_hand_worked_changes() -> None:
    reference = np.array([[1.0, 1.0, 3.0], [3.0, 3.0, 3.0]])
    after = np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 5.0]])
    one = Thinned(0, 0.25, 9, after, np.array([-1.0, 4.0]), np.array([-1.0, 1.0]))
    check = group_check([one], reference, np.array([0, 0, 1]), ["a", "b"])
    first, second = check.changes
    assert (first.predicted, first.actual, second.actual) == (-1.0, -2.0, 2.0)
    # group a: means 1 and 3 before, variance of their mean 2 / 2; Welch has one degree of freedom
    assert first.high - first.actual == pytest.approx(12.706 * 1.0, rel=1e-3)
    assert second.low == second.high == 2.0
    assert check.correlation == pytest.approx(1.0)
    assert (check.low, check.high) == (-1.0, 1.0), "two pairs say nothing"
    assert check.n_trainings == 4


def test_planted_effects_are_foretold_and_shuffled_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    effects_GH = rng.normal(size=(4, 4))
    truth, shuffled = [], []
    for group in range(4):
        for kept in (0.0, 0.5):
            change_H = effects_GH[group] * (1 - kept)
            after = margins(rng, change_H, shift=0.05)
            truth.append(
                Thinned(group, kept, 10, after, change_H * 0.3, RULE[group])
            )  # scores may be off in scale
            shuffled.append(
                Thinned(group, kept, 10, after, -effects_GH[(group + 1) % 4] * (1 - kept), RULE[group])
            )
    reference = margins(rng, np.zeros(4), shift=0.05)
    check = group_check(truth, reference, GROUPS, NAMES)
    assert check.correlation > 0.95
    assert check.low > 0.8
    wrong = group_check(shuffled, reference, GROUPS, NAMES)
    assert wrong.low < 0 < wrong.high
    assert check.n_trainings == 27


def test_correlation_intervals_cover_nothing_as_often_as_they_promise() -> None:
    """Shares of one pair rise and fall together: counted as pairs, 95 % of intervals hold 0."""
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(100):
        actual_GH, foretold_GH = rng.normal(size=(2, 4, 4))
        thinned = [
            Thinned(
                g, kept, 10, margins(rng, actual_GH[g] * (1 - kept)), foretold_GH[g] * (1 - kept), RULE[g]
            )
            for g in range(4)
            for kept in (0.0, 0.5)
        ]
        check = group_check(thinned, margins(rng, np.zeros(4)), GROUPS, NAMES)
        covered.append(check.low <= 0 <= check.high)
    assert 0.9 <= np.mean(covered) <= 1.0


def test_intervals_of_changes_cover_as_often_as_they_promise() -> None:
    rng = np.random.default_rng(2)
    change_H = np.array([-1.0, 0.0, 0.5, 2.0])
    covered = []
    for _ in range(150):
        one = Thinned(0, 0.0, 10, margins(rng, change_H), change_H, RULE[0])
        changes = group_check([one], margins(rng, np.zeros(4)), GROUPS, NAMES).changes
        covered += [c.low <= true <= c.high for c, true in zip(changes, change_H, strict=True)]
    assert 0.91 <= np.mean(covered) <= 0.995


def test_new_test_images_widen_an_interval() -> None:
    rng = np.random.default_rng(3)
    own_N = 3 * rng.normal(size=100)  # each image changes in its own way, the same in every training
    after = np.tile(own_N, (3, 1)) + 1e-3 * rng.normal(size=(3, 100))
    one = Thinned(0, 0.0, 1, after, np.zeros(1), np.zeros(1))
    change = group_check([one], 1e-3 * rng.normal(size=(3, 100)), np.zeros(100, np.int64), ["a"]).changes[0]
    assert change.high - change.low == pytest.approx(2 * 1.96 * own_N.std(ddof=1) / 10, rel=0.02)


def test_predictions_that_do_not_vary_say_nothing() -> None:
    rng = np.random.default_rng(4)
    one = Thinned(0, 0.0, 1, margins(rng, np.arange(4.0)), np.zeros(4), RULE[0])
    check = group_check([one], margins(rng, np.zeros(4)), GROUPS, NAMES)
    assert check.correlation == 0.0
    assert check.low < -0.9
    assert check.high > 0.9


def test_fisher_interval_of_a_known_case() -> None:
    low, high = fisher_interval(0.5, 28)  # atanh 0.549, half-width 1.96 / 5
    assert low == pytest.approx(0.156, abs=1e-3)
    assert high == pytest.approx(0.736, abs=1e-3)


def test_the_rule_of_groups_and_its_share_of_a_subset() -> None:
    np.testing.assert_array_equal(
        group_rule(CELLS), [[1, 0, -1, 0], [0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1]]
    )
    groups_N = np.array([0, 0, 0, 0, 2, 2, 1, 3])
    members_MN = np.array([[1, 1, 1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 1, 1, 1, 1]], bool)
    sums_TM = rule_sums(members_MN, groups_N, np.array([0, 2, 1]), group_rule(CELLS))
    np.testing.assert_allclose(sums_TM, [[0.75 - 0.5, 0.25 - 1], [0.5 - 0.75, 1 - 0.25], [0, 0]])
    # a group without training images, or without opponents, has a share of nothing
    assert not rule_sums(members_MN[:, :4], groups_N[:4], np.array([3]), group_rule(CELLS)).any()


def _foretold(rng: np.random.Generator, knows: float) -> tuple[list[GroupChange], list[float]]:
    """Changes that follow the rule and differ within its cells, of which scores know a share."""
    within_GH, other_GH = rng.normal(size=(2, 4, 4))
    predicted_GH = RULE * rng.uniform(0.5, 1.5, (4, 4)) + knows * within_GH + (1 - knows) * other_GH
    pairs = [(g, h) for g in range(4) for h in range(4)]
    changes = [
        GroupChange(
            train_index=g, test_index=h, train_group=NAMES[g], test_group=NAMES[h], kept=0.0, n_removed=9,
            predicted=float(predicted_GH[g, h]),
            actual=float(7 * RULE[g, h] + within_GH[g, h]), low=0, high=0,
        )
        for g, h in pairs
    ]  # fmt: skip
    return changes, [float(RULE[pair]) for pair in pairs]


def test_foretelling_what_the_rule_says_is_no_evidence_for_scores() -> None:
    """The rule alone reaches .98; scores that know no more than it are rarely said to add anything."""
    rng = np.random.default_rng(5)
    null = [correlation_within(*_foretold(rng, 0.0)) for _ in range(300)]
    planted = [correlation_within(*_foretold(rng, 1.0)) for _ in range(30)]
    assert np.mean([found.low > 0 for found in null if found]) <= 0.05
    assert np.mean([found.low > 0 for found in planted if found]) >= 0.9
    assert {found.n for found in null if found} == {16}
    changes, told = _foretold(rng, 0.0)
    # halves of one group say nothing that all of it does not
    halves = [c.model_copy(update={"kept": 0.5}) for c in changes]
    once, twice = correlation_within(changes, told), correlation_within([*changes, *halves], [*told, *told])
    assert once is not None
    assert twice is not None
    assert twice.model_dump() == pytest.approx(once.model_dump())


def test_too_few_pairs_say_nothing_beyond_the_rule() -> None:
    rng = np.random.default_rng(6)
    one = Thinned(0, 0.0, 10, margins(rng, RULE[0]), RULE[0], RULE[0])
    check = group_check([one], margins(rng, np.zeros(4)), GROUPS, NAMES)
    assert check.beyond is None
    assert "too few pairs" in str(check.beyond_reason)
    assert check.rule is not None
    assert check.rule.value > 0.9


@pytest.mark.parametrize(
    ("after", "foretold", "message"),
    [
        (np.zeros((1, 100)), np.zeros(4), "two trainings"),
        (np.zeros((2, 9)), np.zeros(4), "100 test images"),
        (np.zeros((2, 100)), np.zeros(3), "4 test groups"),
    ],
)
def test_wrong_input(after: Float64Array, foretold: Float64Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        group_check([Thinned(0, 0.0, 1, after, foretold, np.zeros(4))], np.zeros((2, 100)), GROUPS, NAMES)
    with pytest.raises(InputError, match="no group was thinned"):
        group_check([], np.zeros((2, 100)), GROUPS, NAMES)
