"""Learning rates, warm-up and optimizers."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pipeline.train.schedule import build_optimizer, learning_rate
from tests.fixtures.train import make_settings


def test_learning_rates() -> None:
    constant, cosine, one_cycle = (
        make_settings(lr=0.4, schedule=kind) for kind in ("constant", "cosine", "one_cycle")
    )
    assert learning_rate(constant, 7, 100) == 0.4
    assert learning_rate(cosine, 50, 100) == pytest.approx(0.2)
    assert learning_rate(one_cycle, 25, 100) == pytest.approx(0.4)
    rates = [learning_rate(one_cycle, step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.4)
    assert 0 < rates[-1] < 0.01


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up_rises_in_equal_steps_and_then_the_schedule_begins(schedule: str) -> None:
    settings = make_settings(lr=1.0, schedule=schedule, epochs=10, warm_up_epochs=2)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert rates[:20] == pytest.approx([(step + 1) / 21 for step in range(20)])
    assert rates[20] == 1.0
    assert rates[60] == pytest.approx(1.0 if schedule == "constant" else 0.5)


def test_warm_up_of_one_cycle_says_where_the_peak_is() -> None:
    settings = make_settings(lr=1.0, schedule="one_cycle", epochs=10, warm_up_epochs=1)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == max(rates) == 1.0
    assert rates[55] == pytest.approx(0.5)


def test_warm_up_longer_than_the_training_is_an_error() -> None:
    with pytest.raises(ValidationError, match="warm_up_epochs = 3 must be below epochs = 3"):
        make_settings(epochs=3, warm_up_epochs=3)


@pytest.mark.parametrize("form", ["linear", "cosine"])
def test_one_cycle_rises_as_torch_s_does(form: Literal["linear", "cosine"]) -> None:
    kind = {"linear": "linear", "cosine": "cos"}[form]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        1.0,
        total_steps=100,
        pct_start=0.3,
        anneal_strategy=kind,
        div_factor=10,
        cycle_momentum=False,
    )
    expected = []
    for _ in range(29):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    # torch's reaches the peak at its last step of the rise, one before ours
    settings = make_settings(lr=1.0, schedule="one_cycle", epochs=100, warm_up_epochs=29, warm_up=form)
    assert [learning_rate(settings, step, 100) for step in range(29)] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_an_exponential_rise_has_steps_of_one_factor(schedule: str) -> None:
    settings = make_settings(lr=2.0, schedule=schedule, epochs=10, warm_up_epochs=2, warm_up="exponential")
    rates = np.array([learning_rate(settings, step, 100) for step in range(21)])
    np.testing.assert_allclose(rates[1:] / rates[:-1], rates[1] / rates[0])
    assert rates[20] == 2.0
    assert rates[0] == pytest.approx(0.2 if schedule == "one_cycle" else 2.0 * 0.01 ** (20 / 21))


@pytest.mark.parametrize("form", ["linear", "cosine", "exponential"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_every_rise_is_one_and_ends_at_the_same_schedule(schedule: str, form: str) -> None:
    settings = make_settings(lr=1.0, schedule=schedule, epochs=10, warm_up_epochs=2, warm_up=form)
    plain = make_settings(lr=1.0, schedule=schedule, epochs=10, warm_up_epochs=2)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert all(a < b for a, b in pairwise(rates[:21]))
    assert rates[0] > 0
    assert rates[20:] == [learning_rate(plain, step, 100) for step in range(20, 100)]


def test_optimizers_are_fused() -> None:
    for name in ("sgd", "adamw", "adam"):
        optimizer = build_optimizer(nn.Linear(2, 2), make_settings(optimizer=name))
        assert optimizer.defaults["fused"] is True
