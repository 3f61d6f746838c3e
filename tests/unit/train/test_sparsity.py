"""The L1 penalty: which weights it is on, and that it is the penalty asked for whatever the optimizer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.train.options.sparsity import penalized_weights, shrink
from pipeline.train.schedule import build_optimizer
from tests.fixtures.train import make_erm, make_job, make_settings, make_split
from tests.fixtures.zoo import RESNET18, VIT, build_small
from tests.unit.train.test_loop import train


@pytest.mark.parametrize("name", ["small_resnet", RESNET18, VIT])
def test_weights_of_layers_are_penalized_and_nothing_else(name: str) -> None:
    model = build_small(name)
    penalized = {id(p) for p in penalized_weights(model)}
    assert len(penalized) == len(penalized_weights(model))
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert penalized == {id(m.weight) for m in layers}


def test_normalization_over_maps_has_two_axes_and_no_penalty() -> None:
    net = nn.Sequential(nn.LayerNorm([3, 4, 4]), nn.MultiheadAttention(4, 2))
    assert [p.shape for p in penalized_weights(net)] == [(12, 4), (4, 4)]
    net[1].out_proj.weight.requires_grad_(False)
    assert [p.shape for p in penalized_weights(net)] == [(12, 4)]


@pytest.mark.parametrize(
    ("optimizer", "momentum", "expected"),
    [("sgd", 0.0, 0.1), ("sgd", 0.9, 1.0), ("adamw", 0, 0.1), ("lion", 0, 0.1)],
)
def test_weights_move_towards_zero_and_stop_there(optimizer: str, momentum: float, expected: float) -> None:
    net = nn.Linear(3, 1)
    settings = make_settings(optimizer=optimizer, momentum=momentum, lr=0.5, l1=0.2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, -3.0, 0.05]]))
    net.weight.grad = torch.ones(1, 3)
    shrink([net.weight], build_optimizer(net, settings), settings)
    assert net.weight.tolist()[0] == pytest.approx([2 - expected, -3 + expected, 0.0])
    assert net.weight[0, 2].item() == 0.0


def test_without_gradient_nothing_moves() -> None:
    net = nn.Linear(3, 1)
    before = net.weight.detach().clone()
    settings = make_settings(l1=1.0)
    shrink([net.weight], build_optimizer(net, settings), settings)
    assert torch.equal(net.weight, before)


def test_a_network_trained_with_it_has_weights_at_exactly_zero() -> None:
    splits = make_split(160), make_split(64, name="val", strength=0.5)
    shares, bias = {}, {}
    for l1 in (0.0, 0.01):
        weights = train(make_job(make_erm("last"), *splits, l1=l1, epochs=2)).weights
        conv = torch.cat([w.flatten() for k, w in weights.items() if w.ndim == 4 and k.startswith("stages")])
        shares[l1] = float((conv == 0).float().mean())
        bias[l1] = float((weights["stages.0.1.weight"] == 0).float().mean())
    assert shares[0.0] == 0
    assert shares[0.01] > 0.2, shares
    assert bias[0.01] == 0, "normalization is left alone"
