"""The gap between train and test of a network whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.indicators import fit
from pipeline.indicators.indicator import UnmeasuredError
from tests.fixtures.indicators import Brightness, grays, subject_of


def levels(n: int, share_right: float) -> tuple[list[float], list[int]]:
    """Bright images, of which the share is labelled as bright."""
    return [200.0] * n, [int(i < share_right * n) for i in range(n)]


def make(right_by_group: list[float], sizes: list[int]) -> object:
    level, label, group = [], [], []
    for g, (share, n) in enumerate(zip(right_by_group, sizes, strict=True)):
        a, b = levels(n, share)
        level, label, group = level + a, label + b, group + [g] * n
    return grays(level, labels=label, groups=group)


def test_gaps_are_those_of_the_groups_at_the_mixture_of_test() -> None:
    # train: 1.0 and 0.9 right, of 180 and 20 images; test: 0.9 and 0.3, of 30 and 70
    train, test = make([1.0, 0.9], [180, 20]), make([0.9, 0.3], [30, 70])
    found = fit.INDICATOR.per_model(subject_of([Brightness(4)], test, train))
    assert found.parts["gap:0"] == pytest.approx([0.1])
    assert found.parts["gap:1"] == pytest.approx([0.6])
    assert found.parts["gap"] == pytest.approx([0.3 * 0.1 + 0.7 * 0.6])
    assert found.parts["train_accuracy"] == pytest.approx([0.3 * 1.0 + 0.7 * 0.9])
    assert found.parts["test_accuracy"] == pytest.approx([0.3 * 0.9 + 0.7 * 0.3])
    assert found.parts["validation_gap"] == pytest.approx([0.0]), "validation is test here"
    assert found.parts["loss_gap"][0] == pytest.approx(
        found.parts["test_loss"][0] - found.parts["train_loss"][0]
    )
    assert found.parts["loss_gap"][0] > 0
    assert set(found.titles) == set(found.parts)


def test_another_mixture_of_equally_hard_images_is_no_gap() -> None:
    train, test = make([1.0, 0.5], [900, 100]), make([1.0, 0.5], [100, 100])
    found = fit.INDICATOR.per_model(subject_of([Brightness(4)], test, train))
    assert found.parts["gap"][0] == pytest.approx(0, abs=0.06)  # of the drawn half of group 1
    plain = (900 + 50) / 1000 - 150 / 200
    assert plain > 0.15, "the difference of plain accuracies"


def test_few_training_images_are_looked_at() -> None:
    groups = np.repeat(np.arange(4), 2000)
    assert np.bincount(groups[fit._train_rows(groups, 0)]).tolist() == [150] * 4
    many = np.repeat(np.arange(500), 30)
    assert np.bincount(many[fit._train_rows(many, 0)]).tolist() == [20] * 500


def test_groups_that_were_never_trained_on_are_left_out() -> None:
    train, test = make([1.0, 1.0], [40, 0]), make([0.5, 0.0], [40, 40])
    found = fit.INDICATOR.per_model(subject_of([Brightness(4)], test, train))
    assert found.parts["gap"] == pytest.approx([0.5])
    assert "gap:1" not in found.parts


def test_what_cannot_be_said_is_left_out() -> None:
    test = make([1.0], [20])
    with pytest.raises(UnmeasuredError, match="Only predictions"):
        fit.INDICATOR.per_model(subject_of([], test))
    trained = fit.INDICATOR.per_model(subject_of([Brightness(4)], test, trained_on_val=True))
    assert not [name for name in trained.parts if name.startswith("validation")]
