"""SAM and ASAM on a quadratic that can be worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pipeline.train.options.sharpness import steps_uphill, uphill


class Quadratic(nn.Module):
    """f(w) = (3 a^2 + 4 b^2) / 2, in two parameters."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor([a])), nn.Parameter(torch.tensor([b]))

    def backward(self) -> None:
        self.zero_grad()
        torch.autograd.backward((3 * self.a.square() + 4 * self.b.square()).sum() / 2)


def test_sam_takes_the_gradient_at_the_point_uphill() -> None:
    net = Quadratic(1.0, 1.0)
    net.backward()  # (3, 4), of length 5
    with uphill(net, rho=0.5, adaptive=False):
        assert net.a.item() == pytest.approx(1 + 0.5 * 3 / 5)
        assert net.b.item() == pytest.approx(1 + 0.5 * 4 / 5)
        net.backward()
    assert net.a.item() == net.b.item() == 1.0, "exactly as before"
    assert net.a.grad.item() == pytest.approx(3 * 1.3)
    assert net.b.grad.item() == pytest.approx(4 * 1.4)


def test_asam_measures_steps_relative_to_the_weights() -> None:
    net = Quadratic(2.0, -1.0)
    net.backward()  # (6, -4)
    ta, tb = 2.01, 1.01
    norm = math.hypot(ta * 6, tb * -4)
    steps = steps_uphill([net.a, net.b], rho=0.5, adaptive=True)
    assert steps[0].item() == pytest.approx(0.5 * ta**2 * 6 / norm, rel=1e-5)
    assert steps[1].item() == pytest.approx(0.5 * tb**2 * -4 / norm, rel=1e-5)


def test_asam_does_not_depend_on_the_scale_of_the_weights() -> None:
    # f(s w) with weights w / s is the same function: steps shrink by s, so f at the end is the same
    small, large = Quadratic(100.0, 50.0), Quadratic(1000.0, 500.0)
    ends = []
    for net, scale in ((small, 1.0), (large, 0.1)):
        net.zero_grad()
        a, b = net.a * scale, net.b * scale
        torch.autograd.backward((3 * a.square() + 4 * b.square()).sum() / 2)
        step_a, step_b = steps_uphill([net.a, net.b], rho=0.5, adaptive=True)
        ends.append(((net.a + step_a).item() * scale, (net.b + step_b).item() * scale))
    assert ends[0] == pytest.approx(ends[1], rel=1e-3)


def test_at_a_minimum_nothing_moves() -> None:
    net = Quadratic(0.0, 0.0)
    net.backward()
    with uphill(net, rho=0.5, adaptive=False):
        assert net.a.item() == net.b.item() == 0


def test_batch_norm_takes_in_no_statistics_uphill() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    pixels = torch.rand(8, 1, 2, 2)
    torch.autograd.backward(net(pixels).square().sum())
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with uphill(net, rho=0.5, adaptive=False):
        torch.autograd.backward(net(pixels).square().sum())
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    net(pixels)
    assert net[1].num_batches_tracked == before["1.num_batches_tracked"] + 1, "and again afterwards"
