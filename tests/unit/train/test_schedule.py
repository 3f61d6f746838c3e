"""Learning rates, warm-up and optimizers."""

from __future__ import annotations

import pytest
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


def test_optimizers_are_fused() -> None:
    for name in ("sgd", "adamw"):
        optimizer = build_optimizer(nn.Linear(2, 2), make_settings(optimizer=name))
        assert optimizer.defaults["fused"] is True
