"""Selection of an epoch: known answers by hand, and what must hold for any curves."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.records.training import EpochRecord
from pipeline.settings.methods import Selection
from pipeline.statistics.accuracy.selection import USES_GROUPS, choose_epoch, epochs_worth_keeping
from pipeline.statistics.intervals import wilson

RULES = get_args(Selection)


def curve(rows: list[list[float | None]], sizes: list[int]) -> list[EpochRecord]:
    records = []
    for epoch, row in enumerate(rows):
        known = [(a, n) for a, n in zip(row, sizes, strict=True) if a is not None]
        records.append(
            EpochRecord(
                seed=0,
                epoch=epoch,
                train_loss=1.0,
                train_accuracy=[None] * len(row),
                val_accuracy=row,
                val_average=sum(a * n for a, n in known) / max(1, sum(n for _, n in known)),
                val_worst=min((a for a, _ in known), default=None),
                seconds=0.0,
            )
        )
    return records


def choose(rows: list[list[float | None]], sizes: list[int], rule: str, min_val: int = 1) -> int:
    return choose_epoch(curve(rows, sizes), sizes, rule=rule, min_val=min_val)


HAND: list[list[float | None]] = [[0.60, 0.50], [0.90, 0.58], [0.80, 0.62], [0.85, 0.60], [0.70, 0.40]]


@pytest.mark.parametrize(
    ("rule", "epoch"),
    # one standard error of 62 of 100 is 4.8 points: the first at 57.2 % or more is epoch 1 with 58 %
    [
        ("average", 1),
        ("worst_group", 2),
        ("worst_group_lower_bound", 2),
        ("one_standard_error", 1),
        ("last", 4),
    ],
)
def test_hand_worked_curve(rule: str, epoch: int) -> None:
    assert choose(HAND, [900, 100], rule) == epoch


def test_later_epochs_win_ties_but_not_within_one_standard_error() -> None:
    flat: list[list[float | None]] = [[0.8, 0.7]] * 4
    assert [choose(flat, [50, 50], rule) for rule in RULES] == [
        {"one_standard_error": 0}.get(rule, 3) for rule in RULES
    ]


def test_the_lower_bound_trusts_a_large_group_more_than_a_lucky_small_one() -> None:
    rows: list[list[float | None]] = [[0.95, 0.78], [0.79, 0.80]]
    sizes = [40, 1000]
    assert choose(rows, sizes, "worst_group") == 1
    assert wilson(38, 40).low > wilson(780, 1000).low > wilson(32, 40).low
    assert choose(rows, sizes, "worst_group_lower_bound") == 0


def test_small_groups_are_left_out_unless_none_is_large() -> None:
    rows: list[list[float | None]] = [[0.5, 1.0], [0.9, 0.0]]
    for rule in ("worst_group", "worst_group_lower_bound", "one_standard_error"):
        assert choose(rows, [100, 5], rule, min_val=30) == 1
        assert choose(rows, [100, 5], rule, min_val=1) == 0
        assert choose(rows, [29, 5], rule, min_val=30) == 0


def test_groups_without_validation_images_are_left_out() -> None:
    rows: list[list[float | None]] = [[0.9, None], [0.8, None]]
    for rule in RULES:
        assert choose(rows, [100, 0], rule, min_val=30) == (1 if rule == "last" else 0)


def test_all_right_still_has_a_standard_error() -> None:
    """50 of 50 is within a standard error (2.6 points) of 49 of 50, not of 45."""
    assert choose([[0.98], [1.0]], [50], "one_standard_error") == 0
    assert choose([[0.90], [1.0]], [50], "one_standard_error") == 1


def test_the_best_of_many_equal_epochs_is_not_late_by_luck() -> None:
    """A null: 60 epochs of one true accuracy. The rule stops near the start, the maximum anywhere."""
    rng = np.random.default_rng(0)
    plain, parsimonious = [], []
    for _ in range(60):
        rows = [[float(p)] for p in rng.binomial(200, 0.8, 60) / 200]
        plain.append(choose(rows, [200], "worst_group"))
        parsimonious.append(choose(rows, [200], "one_standard_error"))
    assert np.median(plain) > 15
    assert np.median(parsimonious) <= 10


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n_epochs=st.integers(1, 12), n_groups=st.integers(1, 5))
def test_what_holds_for_any_curves(seed: int, n_epochs: int, n_groups: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, n_groups)
    hits = rng.binomial(sizes, rng.uniform(0.3, 1, (n_epochs, n_groups)))
    rows = [[float(v) for v in row] for row in hits / sizes]
    records, counts = curve(rows, sizes.tolist()), sizes.tolist()
    order = rng.permutation(n_groups)
    shuffled = curve([[row[g] for g in order] for row in rows], sizes[order].tolist())
    worst = [min(row) for row in rows]
    for rule in RULES:
        chosen = choose_epoch(records, counts, rule=rule, min_val=1)
        assert chosen == choose_epoch(shuffled, sizes[order].tolist(), rule=rule, min_val=1)
        kept: set[int] = set()
        for seen in range(1, n_epochs + 1):  # what a loop holds while it trains is always enough
            wanted = epochs_worth_keeping(records[:seen], counts, rule=rule, min_val=1)
            kept = (kept | {seen - 1}) & set(wanted)
            assert choose_epoch(records[:seen], counts, rule=rule, min_val=1) in kept
            assert kept == set(wanted)
    assert worst[choose_epoch(records, counts, rule="worst_group", min_val=1)] == max(worst)
    earliest = choose_epoch(records, counts, rule="one_standard_error", min_val=1)
    assert earliest <= choose_epoch(records, counts, rule="worst_group", min_val=1)
    assert all(value < worst[earliest] for value in worst[:earliest])


def test_rules_that_read_groups_are_named() -> None:
    assert set(RULES) - USES_GROUPS == {"average", "last"}


@pytest.mark.parametrize(
    ("rows", "sizes", "rule", "message"),
    [
        ([[0.5]], [10], "best", "must be one of average"),
        ([], [10], "last", "train.epochs"),
        ([[None, None]], [0, 0], "worst_group", "no group has validation images"),
    ],
)
def test_what_cannot_be_selected_is_explained(
    rows: list[list[float | None]], sizes: list[int], rule: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        choose(rows, sizes, rule)


def test_group_sizes_must_fit_the_records() -> None:
    with pytest.raises(InputError, match="2 groups, but there are 1"):
        choose_epoch(curve([[0.5, 0.5]], [1, 1]), [1], rule="worst_group", min_val=1)
