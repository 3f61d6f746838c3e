"""Norms of networks whose weights are written by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pipeline.indicators import norms
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.norms import measure_distances, measure_norms, spectral_norm
from tests.fixtures.indicators import Flat, grays, resnet, subject_of


def test_lengths_and_distances_are_euclidean() -> None:
    model, start = Flat(4, 2), Flat(4, 2)
    with torch.no_grad():
        for parameter in (*model.parameters(), *start.parameters()):
            parameter.zero_()
        model.head.weight[0, 0], model.head.bias[1] = 3.0, 4.0
        start.head.weight[0, 0] = -9.0
    assert measure_norms(model)["norm"] == pytest.approx(5)
    found = measure_distances(model, start)
    assert found["distance"] == pytest.approx(math.hypot(12, 4))
    assert found["distance:head"] == pytest.approx(math.hypot(12, 4) / 5)


def test_what_did_not_move_is_at_no_distance_and_one_part_may_move_alone() -> None:
    model, start = resnet(), resnet()
    assert measure_distances(model, start)["distance"] == 0
    with torch.no_grad():
        model.head.weight.mul_(2)
    found = measure_distances(model, start)
    moved = [name for name, value in found.items() if value > 0]
    assert moved == ["distance", "distance:head"]


def test_another_network_is_no_start() -> None:
    with pytest.raises(UnmeasuredError, match="another network"):
        measure_distances(resnet(width=4), resnet(width=8))


def test_layers_of_known_spectral_norm() -> None:
    linear = nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.diag(torch.tensor([0.5, -7.0, 2.0])))
    assert spectral_norm(linear) == pytest.approx(7)
    bn = nn.BatchNorm2d(2).eval()
    with torch.no_grad():
        bn.weight.copy_(torch.tensor([1.0, -3.0]))
        bn.running_var.copy_(torch.tensor([1.0, 4.0]))
    assert spectral_norm(bn) == pytest.approx(1.5, rel=1e-4)
    assert spectral_norm(nn.ReLU()) is None
    depthwise = nn.Conv2d(2, 2, 1, groups=2, bias=False)
    with torch.no_grad():
        depthwise.weight.copy_(torch.tensor([2.0, -5.0]).view(2, 1, 1, 1))
    assert spectral_norm(depthwise) == pytest.approx(5)


def test_parts_multiply_to_the_whole_and_starts_add_distances() -> None:
    test = grays([0, 255], side=16)
    alone = norms.INDICATOR.per_model(subject_of([resnet()], test, n_classes=3))
    assert not [name for name in alone.parts if name.startswith("distance")]
    parts = [alone.parts[n][0] for n in alone.parts if n.startswith("spectral:")]
    assert sum(parts) == pytest.approx(alone.parts["spectral"][0])
    assert next(iter(alone.parts)) == "norm"
    both = norms.INDICATOR.per_model(subject_of([resnet()], test, n_classes=3, starts=[resnet(1)]))
    assert both.parts["distance"][0] > 0
    assert set(both.titles) == set(both.parts)
