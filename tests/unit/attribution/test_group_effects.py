"""Who stands among the most harmful: hand-worked counts, exact coverage, planted and null effects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.attribution.proof.group_effects import (
    extreme_count,
    group_attributions,
    group_shares,
    most_harmful,
    most_helpful,
    share_of_drawn,
)
from pipeline.attribution.streaming import GroupCell
from pipeline.core.errors import InputError, TrainingError
from pipeline.statistics.intervals import sidak_confidence, wilson

NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("n_train", "count"), [(1, 0), (60, 30), (100, 50), (1000, 50), (3000, 150), (50_000, 2500)]
)
def test_extremes_are_five_percent_but_at_least_fifty_and_at_most_half(n_train: int, count: int) -> None:
    assert extreme_count(n_train) == count


def test_extremes_are_on_their_side_of_zero_and_in_order() -> None:
    effect = np.array([0.5, -2.0, 0.0, -1.0, 3.0, -3.0])
    assert most_harmful(effect, 2).tolist() == [5, 1]
    assert most_harmful(effect, 6).tolist() == [5, 1, 3]
    assert most_helpful(effect, 6).tolist() == [4, 0]


def test_shares_by_hand() -> None:
    groups = np.array([0, 0, 1, 1, 1, 3])
    effect = np.array([-5.0, -4.0, -3.0, 1.0, 2.0, 3.0])
    shares = group_shares(effect, groups, NAMES, 2)
    assert [share.group for share in shares] == ["a", "b", "d"]  # c has no training image
    assert [share.n_train for share in shares] == [2, 3, 1]
    assert [share.expected for share in shares] == pytest.approx([2 / 6, 3 / 6, 1 / 6])
    assert [share.harmful.value for share in shares] == [1, 0, 0]
    assert [share.helpful.value for share in shares] == [0, 0.5, 0.5]
    # the two most harmful are both of group a: a chance of 1/15, so a size of 2 of 6 cannot be ruled out
    assert shares[0].harmful.low == pytest.approx(2 / 6)
    assert shares[0].harmful.n == 2


def test_where_nothing_harms_nothing_is_known() -> None:
    share = group_shares(np.ones(10), np.zeros(10, int), ["a"], 5)[0]
    assert (share.harmful.value, share.harmful.low, share.harmful.high, share.harmful.n) == (0, 0, 1, 0)
    assert share.helpful.n == 5


def test_interval_equals_a_search_over_every_group_size() -> None:
    for hits, drawn, everyone in [(0, 5, 12), (3, 5, 12), (5, 5, 12), (12, 12, 12), (1, 20, 25), (0, 1, 1)]:
        sizes = range(hits, everyone - drawn + hits + 1)
        laws = {size: stats.hypergeom(everyone, size, drawn) for size in sizes}
        kept = [s for s in sizes if laws[s].sf(hits - 1) > 0.025 and laws[s].cdf(hits) > 0.025]
        estimate = share_of_drawn(hits, drawn, everyone)
        assert estimate.low == pytest.approx(min(min(kept) / everyone, hits / drawn))
        assert estimate.high == pytest.approx(max(max(kept) / everyone, hits / drawn))


def test_coverage_is_never_below_its_promise_where_wilson_falls_short() -> None:
    everyone, drawn = 1000, 50
    exact = [share_of_drawn(hits, drawn, everyone) for hits in range(drawn + 1)]
    by_wilson = [wilson(hits, drawn) for hits in range(drawn + 1)]
    worst, worst_wilson = 1.0, 1.0
    for size in [*range(1, 60), 100, 250, 500, 900, 999]:
        chance = stats.hypergeom.pmf(range(drawn + 1), everyone, size, drawn)
        inside = [e.low <= size / everyone <= e.high for e in exact]
        inside_wilson = [low <= size / everyone <= high for low, high in by_wilson]
        worst = min(worst, float(chance @ inside))
        worst_wilson = min(worst_wilson, float(chance @ inside_wilson))
    assert worst >= 0.95
    assert worst_wilson < 0.9


def test_random_effects_leave_every_group_where_it_is_expected() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), (600, 300, 80, 20))  # sorted, as data sets are
    inside, all_inside, rounds = 0, 0, 30
    for _ in range(rounds):
        effect = rng.normal(size=1000).round(1)  # with many equal effects
        shares = group_shares(effect, groups, NAMES, 50)
        inside += sum(s.low <= g.expected <= s.high for g in shares for s in (g.harmful, g.helpful))
        wide = group_shares(effect, groups, NAMES, 50, confidence=sidak_confidence(8))
        all_inside += all(s.low <= g.expected <= s.high for g in wide for s in (g.harmful, g.helpful))
    assert 0.95 <= inside / (8 * rounds) < 0.995
    assert all_inside / rounds > 0.9


def test_equal_effects_do_not_favor_the_first_rows() -> None:
    groups = np.repeat(np.arange(4), 250)
    shares = group_shares(np.full(1000, -1.0), groups, NAMES, 100)
    assert all(share.harmful.low <= 0.25 <= share.harmful.high for share in shares)


def test_a_group_that_harms_is_found_and_the_bystanders_are_not() -> None:
    rng = np.random.default_rng(1)
    groups = rng.choice(4, 5000, p=[0.6, 0.25, 0.1, 0.05])
    effect = rng.normal(size=5000) - 1.0 * (groups == 2) + 1.5 * (groups == 3)
    shares = {s.group: s for s in group_shares(effect, groups, NAMES, extreme_count(5000))}
    assert shares["c"].harmful.low > 2 * shares["c"].expected
    assert shares["c"].helpful.high < shares["c"].expected
    assert shares["d"].helpful.low > 3 * shares["d"].expected
    ratio = shares["a"].harmful.value / shares["b"].harmful.value  # nothing between the two
    assert ratio == pytest.approx(0.6 / 0.25, rel=0.35)


def test_group_records_carry_their_counts() -> None:
    cells = [GroupCell(0, 1, 0.5, 0.4, 0.6)]
    records = group_attributions(
        cells,
        train_groups=np.array([0, 0, 1]),
        target_groups=np.array([1, 1, 1, 0]),
        group_names=["x", "y"],
    )
    assert [(r.train_group, r.test_group, r.n_train, r.n_test) for r in records] == [("x", "y", 2, 3)]


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="3 effects for the groups of 2"):
        group_shares(np.ones(3), np.zeros(2, int), NAMES, 1)
    with pytest.raises(InputError, match="run from 0 to 7, but 4"):
        group_shares(np.ones(2), np.array([0, 7]), NAMES, 1)
    with pytest.raises(TrainingError, match="1 of 3 effects are not finite"):
        group_shares(np.array([1, np.nan, 2]), np.zeros(3, int), ["a"], 1)
    with pytest.raises(InputError, match="count = -1"):
        most_harmful(np.ones(3), -1)
    with pytest.raises(InputError, match="3 hits of 2 drawn"):
        share_of_drawn(3, 2, 5)
