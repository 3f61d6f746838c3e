"""Dropout and stochastic depth: on in training only, in every network, without new parameters."""

from __future__ import annotations

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from pipeline.models.interface import StagedClassifier
from pipeline.models.regularization import regularize
from pipeline.models.small_resnet import ResidualBlock
from tests.fixtures.zoo import RESNET18, RESNET50, VIT, build_small

NETWORKS = ["small_resnet", RESNET18, RESNET50, VIT]
PIXELS = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("option", ["dropout", "stochastic_depth"])
def test_training_is_random_and_prediction_is_not(name: str, option: str) -> None:
    plain = build_small(name)
    chosen = {"dropout": 0.0, "stochastic_depth": 0.0, option: 0.5}
    model = build_small(name, stochastic_depth=chosen["stochastic_depth"])
    regularize(model, **chosen)
    for module in [*plain.modules(), *model.modules()]:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm's ResNets start with branches that give nothing
    assert list(model.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval()(PIXELS), plain.eval()(PIXELS))
        assert not torch.equal(model.train()(PIXELS), model(PIXELS))
        assert torch.equal(plain.train()(PIXELS), plain(PIXELS))


def test_off_changes_nothing() -> None:
    model = build_small("small_resnet")
    regularize(model, dropout=0.0, stochastic_depth=0.0)
    assert isinstance(model.dropout, nn.Identity)
    assert not any(module._forward_hooks for module in model.modules())


def test_deeper_branches_are_skipped_more_often_and_the_mean_is_kept() -> None:
    class Ones(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones_like(x)

    blocks = nn.Sequential(*(ResidualBlock(Ones()) for _ in range(4)))
    model = StagedClassifier(blocks, 3, 2, [0.0] * 3, [1.0] * 3)
    regularize(model, dropout=0.0, stochastic_depth=0.8)
    torch.manual_seed(0)
    for depth, block in enumerate(blocks, start=1):
        added = block(torch.zeros(4000, 1, 1, 1)).flatten()
        skipped = 0.2 * depth
        assert float((added == 0).float().mean()) == pytest.approx(skipped, abs=0.03)
        assert float(added.mean()) == pytest.approx(1.0, abs=0.1)
        assert float(added.max()) == pytest.approx(1 / (1 - skipped))


def test_every_block_is_skipped() -> None:
    model = build_small("small_resnet")
    regularize(model, dropout=0.0, stochastic_depth=0.1)
    assert sum(bool(module._forward_hooks) for module in model.modules()) == 2


@pytest.mark.parametrize(("name", "branches"), [(RESNET18, 8), (RESNET50, 16), (VIT, 2 * 2)])
def test_networks_of_timm_skip_deeper_branches_more_often(name: str, branches: int) -> None:
    model = build_small(name, stochastic_depth=0.1)
    regularize(model, dropout=0.0, stochastic_depth=0.1)  # nothing on top
    assert not any(module._forward_hooks for module in model.modules())
    rates = [module.drop_prob for module in model.modules() if isinstance(module, DropPath)]
    assert rates == sorted(rates)
    assert max(rates) == pytest.approx(0.1)
    assert len(rates) >= branches - 2, "of the first block nothing is skipped"
