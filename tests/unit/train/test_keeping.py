"""Which weights are held while a run goes on, and early stopping."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.records.training import EpochRecord
from pipeline.statistics.accuracy.selection import choose_epoch
from pipeline.train.keeping import Keeper

GROUPS = np.repeat([0, 1], [200, 100])


def answers(accuracy_G: tuple[float, float]) -> np.ndarray:
    """Validation answers with these shares right."""
    return np.concatenate([np.arange(n) < round(a * n) for a, n in zip(accuracy_G, (200, 100), strict=True)])


def judge(keeper: Keeper, epochs: list[tuple[float, float]]) -> int:
    """Feed epochs; the most weights that were held at a time."""
    held = 0
    for epoch, accuracy_G in enumerate(epochs, start=len(keeper.records)):
        correct = answers(accuracy_G)
        record = EpochRecord(
            seed=0, epoch=epoch, train_loss=1.0, train_accuracy=[], val_accuracy=[0.0, 0.0, 0.0],
            val_average=float(correct.mean()), val_worst=None, seconds=0.0,
        )  # fmt: skip
        keeper.judge(record, correct, lambda e=epoch: {"epoch": torch.tensor(e)})
        held = max(held, len(keeper.weights))
    return held


def keeper_of(rule: str, patience: int | None = None) -> Keeper:
    return Keeper(rule, GROUPS, min_val=1, patience=patience)


@pytest.mark.parametrize("rule", ["average", "worst_group", "worst_group_lower_bound", "one_standard_error"])
def test_the_selected_epochs_weights_are_always_held(rule: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        keeper = keeper_of(rule)
        steps = np.clip(0.5 + np.cumsum(rng.normal(0.02, 0.05, (12, 2)), axis=0), 0, 1)
        for accuracy_G in steps:
            held = judge(keeper, [tuple(accuracy_G)])
            assert int(keeper.weights[keeper.selected()]["epoch"]) == keeper.selected()
            assert held == 1 or rule == "one_standard_error"
        assert keeper.selected() == choose_epoch(keeper.records, [200, 100], rule=rule, min_val=1)


def test_without_selection_nothing_is_held() -> None:
    keeper = keeper_of("last")
    assert judge(keeper, [(0.9, 0.9), (0.1, 0.1)]) == 0
    assert keeper.selected() == 1


def test_worst_group_looks_at_the_plans_groups_not_at_the_records() -> None:
    keeper = keeper_of("worst_group")
    judge(keeper, [(0.9, 0.5), (0.7, 0.6), (1.0, 0.4)])
    assert keeper.selected() == 1


@pytest.mark.parametrize(
    ("rule", "stops_after"),
    [("average", 4), ("last", 4), ("worst_group", 3), ("one_standard_error", 3)],
)
def test_patience_counts_epochs_since_the_best(rule: str, stops_after: int) -> None:
    keeper = keeper_of(rule, patience=2)
    epochs = [(0.5, 0.6), (0.9, 0.4), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)]  # best average 1, best worst 0
    epochs[2] = epochs[3] = (0.48, 0.5)
    n = 0
    while not keeper.is_time_to_stop():
        judge(keeper, [epochs[n]])
        n += 1
    assert n == stops_after


@pytest.mark.parametrize("rule", ["average", "last", "worst_group", "worst_group_lower_bound"])
def test_a_plateau_is_no_improvement(rule: str) -> None:
    keeper = keeper_of(rule, patience=2)
    judge(keeper, [(0.5, 0.5), (1.0, 1.0), (1.0, 1.0)])
    assert not keeper.is_time_to_stop()
    judge(keeper, [(1.0, 1.0)])
    assert keeper.is_time_to_stop()
    assert keeper.selected() == 3, "ties go to the later epoch all the same"


def test_a_group_that_was_not_trained_on_does_not_count() -> None:
    epochs = [(0.9, 0.0), (0.7, 0.0), (0.6, 0.0)]
    every, trained = (
        keeper_of("worst_group"),
        Keeper("worst_group", GROUPS, min_val=1, patience=None, trained=np.array([0])),
    )
    judge(every, epochs)
    judge(trained, epochs)
    assert every.selected() == 2, "all tie at nothing"
    assert trained.selected() == 0


def test_without_patience_training_never_stops_early() -> None:
    keeper = keeper_of("average")
    judge(keeper, [(0.9, 0.9)] + [(0.1, 0.1)] * 9)
    assert not keeper.is_time_to_stop()
    assert not keeper_of("average", patience=1).is_time_to_stop(), "nor before its first epoch"


def test_a_restored_keeper_goes_on() -> None:
    first, second = keeper_of("one_standard_error", patience=2), keeper_of("one_standard_error", patience=2)
    judge(first, [(0.5, 0.5), (0.7, 0.7), (0.71, 0.72)])
    second.restore(first.state())
    for keeper in (first, second):
        judge(keeper, [(0.9, 0.74)])
    assert second.selected() == first.selected()
    assert second.weights == first.weights
