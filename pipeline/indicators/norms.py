"""Norms: how large the weights are, how far training carried them, and what layers can magnify by.

Shape legend: S networks; O, I channels out and in, of a group; h, w a kernel's sides; F frequencies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.indicators.indicator import ByModel, ModelIndicator, UnmeasuredError, Words
from pipeline.indicators.looked_at import networks
from pipeline.indicators.subject import Subject
from pipeline.models.interface import Classifier

GRID = 16  # frequencies along a side, of the circular convolution whose norm is taken
EXACT_UP_TO = 128  # smaller side of matrices that are decomposed; larger ones: power iteration
N_POWER = 50


@torch.no_grad()
def spectral_norm(layer: nn.Module) -> float | None:
    """The most that a layer magnifies any input's length by, in evaluation mode; None: no such layer.

    Linear layers: the largest singular value. 2-D convolutions: that of the circular one of stride 1, by
    the Fourier transform of its kernel: exact on a grid of 16 frequencies a side, at most a little below
    that of larger images, and above that of strides and of zeros around the image; the kernel as a matrix
    where windows do not overlap. BatchNorm: its largest factor.

    Source: Sedghi et al. 2019 (arXiv:1805.10408).
    """
    if isinstance(layer, _BatchNorm):
        return _batch_norm_factor(layer)
    if isinstance(layer, nn.Linear):
        return _largest_singular_value(layer.weight[None])
    if isinstance(layer, nn.Conv2d):
        return max(_kernel_norm(kernel, layer) for kernel in layer.weight.chunk(layer.groups))
    return None


def _batch_norm_factor(layer: _BatchNorm) -> float | None:
    if layer.running_var is None:
        return None
    scale = torch.ones_like(layer.running_var) if layer.weight is None else layer.weight
    return float((scale.abs() / (layer.running_var + layer.eps).sqrt()).max())


def _kernel_norm(kernel_OIhw: Tensor, layer: nn.Conv2d) -> float:
    sides = kernel_OIhw.shape[2:]
    if all(stride >= side for stride, side in zip(layer.stride, sides, strict=True)):
        return _largest_singular_value(kernel_OIhw.flatten(1)[None])
    grid = tuple(max(GRID, side) for side in sides)
    spectrum = torch.fft.rfft2(kernel_OIhw.float(), s=grid)  # the other half are conjugates
    return _largest_singular_value(spectrum.flatten(2).permute(2, 0, 1))


def _largest_singular_value(matrices_FOI: Tensor) -> float:
    matrices_FOI = matrices_FOI if matrices_FOI.is_complex() else matrices_FOI.float()
    if min(matrices_FOI.shape[1:]) <= EXACT_UP_TO:
        return float(torch.linalg.svdvals(matrices_FOI).max())
    generator = torch.Generator().manual_seed(0)
    v = torch.randn((1, matrices_FOI.shape[2], 1), generator=generator).to(matrices_FOI)
    v = v.expand(len(matrices_FOI), -1, -1)
    for _ in range(N_POWER):
        v = matrices_FOI.mH @ (matrices_FOI @ v)
        v = v / v.norm(dim=1, keepdim=True).clamp_min(1e-30)
    return float((matrices_FOI @ v).norm(dim=1).max())


@torch.no_grad()
def measure_norms(model: Classifier) -> dict[str, float]:
    """`norm` of all parameters; log10 of the layers' spectral norms multiplied, of all and of each part."""
    layers = {name: _log(norm) for name, m in model.named_modules() if (norm := spectral_norm(m)) is not None}
    return {
        "norm": _length(list(model.parameters())),
        "spectral": sum(layers.values()),
        **{f"spectral:{part}": _within(layers, part) for part in reversed(model.cascade())},
    }


@torch.no_grad()
def measure_distances(model: Classifier, start: Classifier) -> dict[str, float]:
    """`distance` from the start, and of each part relative to the length of its weights now.

    Raises:
        UnmeasuredError: the start is of another network.
    """
    now, then = dict(model.named_parameters()), dict(start.named_parameters())
    if {k: v.shape for k, v in now.items()} != {k: v.shape for k, v in then.items()}:
        raise UnmeasuredError("The weights before training are those of another network.")
    moved = {name: now[name] - then[name].to(now[name]) for name in now}
    found = {"distance": _length(list(moved.values()))}
    for part in reversed(model.cascade()):
        names = [name for name in now if name.startswith(f"{part}.")]
        size = _length([now[name] for name in names])
        found[f"distance:{part}"] = _length([moved[n] for n in names]) / size if size else math.nan
    return found


def _length(tensors: list[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.double().square().sum()) for tensor in tensors))


def _log(norm: float) -> float:
    return math.log10(norm) if norm > 0 else -math.inf


def _within(layers: dict[str, float], part: str) -> float:
    return sum(value for name, value in layers.items() if f"{name}.".startswith(f"{part}."))


def _per_model(subject: Subject) -> ByModel:
    found = []
    for s, model in enumerate(networks(subject)):
        numbers = measure_norms(model)
        if subject.starts:
            numbers |= measure_distances(model, subject.starts[s])
        found.append(numbers)
    parts = {name: [numbers[name] for numbers in found] for name in found[0]}
    return ByModel(parts, titles={name: _title(name) for name in parts}, notes=NOTES)


def _title(name: str) -> str:
    kind, _, part = name.partition(":")
    return f"{TITLES[bool(part), kind]} of {part}" if part else TITLES[False, kind]


TITLES = {
    (False, "norm"): "length of all parameters",
    (False, "spectral"): "spectral norms of all layers multiplied, log10",
    (True, "spectral"): "spectral norms multiplied, log10,",
    (False, "distance"): "distance from the weights before training",
    (True, "distance"): "distance from the start, relative to the weights,",
}
NOTES = (
    "Layers before BatchNorm can be rescaled and nothing changes, so compare lengths between networks that "
    "were trained alike only. The product leaves out skip connections and attention: it is no bound there.",
)

INDICATOR = ModelIndicator(
    name="norms",
    words=Words(
        title="norms of the weights",
        sees="How large the weights are, how far training carried them, and how much the layers can magnify "
        "a change of the input.",
        unit="number",
        better="neither",
        source="Bartlett et al. 2017 (arXiv:1706.08498); Sedghi et al. 2019 (arXiv:1805.10408)",
    ),
    per_model=_per_model,
)
