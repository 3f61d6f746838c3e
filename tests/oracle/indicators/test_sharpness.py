"""Sharpness of losses whose curvature is known, and of one function written in two scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.indicators.sharpness import Loss, mean_increase, sizes, top_eigenvalue, worst_increase
from pipeline.models.as_found import moving_weights
from tests.fixtures.indicators import resnet

SPECTRUM = torch.tensor([9.0, 3.0, 1.0, 0.2])


def quadratic(off: float = 0.0) -> tuple[Loss, list[nn.Parameter], Tensor]:
    """L(w) = (w - w*)' H (w - w*) / 2 with H of spectrum `SPECTRUM`, at w = w* + `off` x noise."""
    torch.manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))
    x = (SPECTRUM.double() * 4 / 2).sqrt()[:, None] * basis.T  # 2 / N x'x = H, of N = 4 rows
    model = nn.Linear(4, 1, bias=False).double()
    best = torch.tensor([[1.0, -2.0, 0.5, 3.0]], dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(best + off * torch.randn(1, 4))
    return Loss(model, x, x @ best.T, nn.MSELoss), list(model.parameters()), 2 / 4 * x.T @ x


def test_worst_case_at_a_minimum_is_half_radius_squared_times_the_top_eigenvalue() -> None:
    loss, parameters, _ = quadratic(off=1e-6)
    ones = [torch.ones_like(p) for p in parameters]
    for radius in (0.1, 1.0):
        known = 0.5 * radius**2 * 9.0
        found = worst_increase(loss, parameters, ones, radius=radius, steps=8)
        assert 0.97 * known < found <= known * 1.001


def test_adaptive_worst_case_is_that_of_the_hessian_in_units_of_the_weights() -> None:
    loss, parameters, hessian = quadratic(off=1e-6)
    t = parameters[0].detach().abs().squeeze()
    top = torch.linalg.eigvalsh(t[:, None] * hessian * t).max().item()
    found = worst_increase(loss, parameters, sizes(parameters), radius=0.2, steps=8)
    assert 0.95 * 0.5 * 0.04 * top < found <= 1.001 * 0.5 * 0.04 * top


def test_mean_increase_is_half_the_trace_whatever_the_gradient() -> None:
    for off in (0.0, 2.0):  # far from the minimum as well: the slope cancels
        loss, parameters, hessian = quadratic(off)
        t = parameters[0].detach().abs().squeeze()
        for scales, trace in (
            ([torch.ones_like(p) for p in parameters], hessian.trace()),
            (sizes(parameters), (t.square() * hessian.diagonal()).sum()),
        ):
            found = mean_increase(loss, parameters, scales, deviation=0.1, seed=1, draws=1000)
            assert found == pytest.approx(0.5 * 0.01 * trace.item(), rel=0.1)


@pytest.mark.slow  # what differentiates forward loads for seconds
def test_the_top_eigenvalue_is_that_of_the_hessian() -> None:
    loss, parameters, _ = quadratic(off=1.0)
    assert top_eigenvalue(loss, parameters, seed=0) == pytest.approx(9.0, rel=1e-4)


@pytest.mark.slow
def test_the_top_eigenvalue_of_a_network_is_that_of_the_whole_matrix() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    loss = Loss(model, torch.randn(300, 6).double(), torch.arange(300) % 3)  # two batches
    parameters = list(model.parameters())
    _, flat = loss.with_gradients(parameters)
    value = nn.functional.cross_entropy(model(loss.pixels_NCHW), loss.labels_N)
    gradients = torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters, create_graph=True)])
    torch.testing.assert_close(torch.cat([g.flatten() for g in flat]), gradients.detach())
    rows = [torch.autograd.grad(g, parameters, retain_graph=True) for g in gradients]
    matrix = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    known = torch.linalg.eigvalsh(matrix).max().item()
    assert top_eigenvalue(loss, parameters, seed=0) == pytest.approx(known, rel=0.01)


def rescaled(model: nn.Sequential, factor: float) -> None:
    with torch.no_grad():
        for p in model[0].parameters():
            p.mul_(factor)
        model[2].weight.div_(factor)


def test_adaptive_measures_know_one_function_in_another_scale_and_plain_ones_do_not() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)).double()
    loss = Loss(model, torch.randn(100, 8).double(), torch.arange(100) % 3)
    parameters = list(model.parameters())

    def measure() -> dict[str, float]:
        t, ones = sizes(parameters), [torch.ones_like(p) for p in parameters]
        return {
            "value": loss.value(),
            "worst": worst_increase(loss, parameters, t, radius=0.5),
            "average": mean_increase(loss, parameters, t, deviation=0.05, seed=0),
            "plain": mean_increase(loss, parameters, ones, deviation=0.01, seed=0),
            "plain worst": worst_increase(loss, parameters, ones, radius=0.5),
        }

    before = measure()
    rescaled(model, 10.0)
    after = measure()
    for name in ("value", "worst", "average"):
        assert after[name] == pytest.approx(before[name], rel=1e-6), name
        assert before[name] > 0
    for name in ("plain", "plain worst"):
        assert after[name] > 5 * before[name], name


def test_later_ascents_find_more_than_the_first() -> None:
    model = resnet()
    pixels = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    loss = Loss(model, pixels, torch.arange(40) % 3)
    with moving_weights(model) as parameters:
        found = [worst_increase(loss, parameters, sizes(parameters), radius=0.5, steps=k) for k in (1, 5)]
    assert found[1] > 1.02 * found[0] > 0
    assert not np.isnan(found).any()
