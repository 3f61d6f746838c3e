"""Adam and Lion beside loops of their formulas, and whether weight decay is part of the gradient."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.train.schedule import build_optimizer
from tests.fixtures.train import make_settings

START = [0.5, -2.0, 1e-4]


class Weights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(START, dtype=torch.float64))


def gradient(w: Tensor | list[float], step: int) -> list[float]:
    """Of a quadratic whose lowest point wanders."""
    return [3 * (float(x) - math.sin(step + i)) for i, x in enumerate(w)]


def stepped(n: int, given: Any = None, **settings: Any) -> tuple[list[float], Any]:
    """Weights after n steps, and what would be saved; `given` goes on from there."""
    net = Weights()
    optimizer = build_optimizer(net, make_settings(**settings))
    first = 0
    if given is not None:
        first, weights, state = given
        with torch.no_grad():
            net.w.copy_(torch.tensor(weights, dtype=torch.float64))
        optimizer.load_state_dict(state)
    for step in range(first, n):
        net.w.grad = torch.tensor(gradient(net.w.detach(), step), dtype=torch.float64)
        optimizer.step()
    return net.w.tolist(), optimizer.state_dict()


def loop(n: int, optimizer: str, lr: float, decay: float) -> list[float]:
    """The published updates, one number at a time."""
    w, m, v = list(START), [0.0] * 3, [0.0] * 3
    for step in range(n):
        for i, slope in enumerate(gradient(w, step)):
            g = slope + decay * w[i] if optimizer == "adam" else slope
            if optimizer == "lion":
                c = 0.9 * m[i] + 0.1 * g
                w[i] -= lr * ((c > 0) - (c < 0) + decay * w[i])
                m[i] = 0.99 * m[i] + 0.01 * g
                continue
            if optimizer == "adamw":
                w[i] -= lr * decay * w[i]
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            t = step + 1
            w[i] -= lr * (m[i] / (1 - 0.9**t)) / (math.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)
    return w


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "lion"])
def test_steps_are_those_of_the_formula(optimizer: str) -> None:
    found, _ = stepped(50, optimizer=optimizer, lr=0.03, weight_decay=0.2)
    assert found == pytest.approx(loop(50, optimizer, 0.03, 0.2), rel=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "lion"])
def test_a_saved_state_goes_on_bit_for_bit(optimizer: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "lr": 0.03, "weight_decay": 0.2}
    weights, state = stepped(7, **settings)
    assert stepped(20, (7, weights, state), **settings)[0] == stepped(20, **settings)[0]
    # the state matters: without its averages the steps are others
    assert (
        stepped(
            20, (7, weights, build_optimizer(Weights(), make_settings(**settings)).state_dict()), **settings
        )[0]
        != stepped(20, **settings)[0]
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "lion"])
def test_decay_is_decoupled_where_it_should_be_and_reaches_every_parameter(optimizer: str) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    nn.init.constant_(net[0].bias, 0.5)
    before = [p.detach().clone() for p in net.parameters()]
    settings = make_settings(optimizer=optimizer, lr=0.1, weight_decay=0.01, momentum=0.0)
    steps = build_optimizer(net, settings)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    steps.step()
    for old, new in zip(before, net.parameters(), strict=True):
        # of adam, decay is all of the gradient, whose length it forgets
        expected = old - 0.1 * old.sign() if optimizer == "adam" else old * (1 - 0.1 * 0.01)
        torch.testing.assert_close(new.detach(), expected, rtol=1e-4, atol=1e-6)


def test_lion_leaves_parameters_without_gradient_alone() -> None:
    net = nn.Linear(2, 2)
    before = net.weight.detach().clone()
    steps = build_optimizer(net, make_settings(optimizer="lion", weight_decay=0.5))
    net.bias.grad = torch.ones(2)
    steps.step()
    assert torch.equal(net.weight, before)
    assert list(steps.state) == [net.bias]
