"""Spectral norms against the whole matrix of a convolution, written out by running it on unit images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pipeline.indicators import norms
from pipeline.indicators.norms import spectral_norm


def matrix_of(layer: nn.Module, channels: int, side: int) -> Tensor:
    units = torch.eye(channels * side * side).view(-1, channels, side, side)
    with torch.no_grad():
        return layer(units).flatten(1).T


@pytest.mark.parametrize(("n_in", "n_out", "kernel"), [(2, 3, 3), (3, 2, 5), (2, 2, 1)])
def test_of_a_circular_convolution_it_is_exact(n_in: int, n_out: int, kernel: int) -> None:
    torch.manual_seed(kernel)
    layer = nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, padding_mode="circular", bias=False)
    known = torch.linalg.svdvals(matrix_of(layer, n_in, norms.GRID)).max().item()
    assert spectral_norm(layer) == pytest.approx(known, rel=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_with_zeros_around_and_strides_it_is_a_bound_that_is_near(stride: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, padding=1, stride=stride, bias=False)
    known = torch.linalg.svdvals(matrix_of(layer, 2, 16)).max().item()
    found = spectral_norm(layer)
    assert found is not None
    assert known * 0.999 < found < known * (1.1 if stride == 1 else 2.1)


def test_of_windows_that_do_not_overlap_it_is_exact() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 4, stride=4, bias=False)
    known = torch.linalg.svdvals(matrix_of(layer, 3, 8)).max().item()
    assert spectral_norm(layer) == pytest.approx(known, rel=1e-5)


def test_power_iteration_agrees_with_the_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(16, 24, 3, groups=2), nn.Linear(40, 30)]
    exact = [spectral_norm(layer) for layer in layers]
    monkeypatch.setattr(norms, "EXACT_UP_TO", 0)
    assert [spectral_norm(layer) for layer in layers] == pytest.approx(exact, rel=0.01)
