"""Dropout and stochastic depth: on in training only, in every network, without new parameters."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.registry import build_model
from pipeline.models.regularization import regularize
from pipeline.models.small_resnet import ResidualBlock

NETWORKS = ["small_resnet", "resnet18", "resnet50", "vit_tiny"]
PIXELS = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def build(name: str) -> Classifier:
    return build_model(
        name, n_classes=3, width=4, image_size=32, pretrained=False, mean=[0.5] * 3, std=[0.2] * 3, seed=0
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("option", ["dropout", "stochastic_depth"])
def test_training_is_random_and_prediction_is_not(name: str, option: str) -> None:
    plain = build(name)
    model = copy.deepcopy(plain)
    regularize(model, **{"dropout": 0.0, "stochastic_depth": 0.0, option: 0.5})
    assert list(model.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval()(PIXELS), plain.eval()(PIXELS))
        assert not torch.equal(model.train()(PIXELS), model(PIXELS))
        assert torch.equal(plain.train()(PIXELS), plain(PIXELS))


def test_off_changes_nothing() -> None:
    model = build("small_resnet")
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


def test_resnet_and_transformer_skip_every_block() -> None:
    hooked = {"resnet18": 8, "resnet50": 16, "vit_tiny": 2 * 6, "small_resnet": 2}
    for name, expected in hooked.items():
        model = build(name)
        regularize(model, dropout=0.0, stochastic_depth=0.1)
        assert sum(bool(module._forward_hooks) for module in model.modules()) == expected, name
