"""What several studies measure of a network: the audit's indicators, on images that a study names.

Shape legend: N images, A points of a line, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.types import BoolArray, Float64Array, Split
from pipeline.indicators.attacks.linf import Budget, attack
from pipeline.indicators.sensitivity import jacobian_norm
from pipeline.indicators.sharpness import RELATIVE_NOISE, Loss, mean_increase, sizes, worst_increase
from pipeline.models.as_found import evaluating, moving_weights
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits, to_pixels
from studies.small.images import first

ADAPTIVE_RADIUS = 0.5  # ASAM's usual one


class Sharpness(NamedTuple):
    """Increases of the training loss, weights changed relative to their size."""

    worst: float  # within `ADAPTIVE_RADIUS`
    average: float  # under noise


def adaptive_sharpness(model: Classifier, train: Split, *, n: int = 512, seed: int = 0) -> Sharpness:
    """On the first n training images, which are in random order."""
    few = first(train, n)
    loss = Loss(model, to_pixels(few.images), torch.from_numpy(few.labels))
    with moving_weights(model) as parameters:
        scales = sizes(parameters)
        return Sharpness(
            worst_increase(loss, parameters, scales, radius=ADAPTIVE_RADIUS),
            mean_increase(loss, parameters, scales, deviation=RELATIVE_NOISE, seed=seed),
        )


def mean_jacobian_norm(model: Classifier, split: Split, n: int) -> float:
    """Mean norm of the probabilities' derivatives by the pixels at the first n images."""
    with evaluating(model):
        return float(jacobian_norm(model, to_pixels(split.images[:n])).mean())


def survives_attack(model: Classifier, split: Split, budget: Budget) -> BoolArray:
    """Whether an image is right, and still right after the strongest attack within the budget, N."""
    pixels, labels = to_pixels(split.images), torch.from_numpy(split.labels)
    with evaluating(model):
        found = attack(model, pixels, labels, budget)
        with torch.no_grad():
            right_N = model(pixels).argmax(1) == labels
    survives_N: BoolArray = (right_N & ~found.flips_N).numpy()
    return survives_N


def group_losses(model: nn.Module, split: Split) -> Float64Array:
    """Mean cross-entropy of all images, then of every group that has some."""
    logits = torch.from_numpy(predict_logits(model, split.images))
    losses = nn.functional.cross_entropy(logits, torch.from_numpy(split.labels), reduction="none").numpy()
    present = np.unique(split.groups)
    return np.array([losses.mean(), *(losses[split.groups == g].mean() for g in present)])


def along_line(
    start: Classifier, end: Classifier, points_A: Sequence[float], train: Split, others: Sequence[Split]
) -> list[Float64Array]:
    """`group_losses` of each split of `others` on the line from `start` (0) to `end` (1), A x (1 + G).

    Statistics of BatchNorm are measured anew at every point on the training images: those of weights
    between two networks are not the mean of theirs. `start` is left as it was.

    Source: Goodfellow, Vinyals and Saxe 2015 (arXiv:1412.6544); BatchNorm: Izmailov et al. 2018
    (arXiv:1803.05407).
    """
    first_weights, last_weights = (dict(m.named_parameters()) for m in (start, end))
    found: list[list[Float64Array]] = [[] for _ in others]
    pixels = to_pixels(train.images)
    ends = {name: (p.detach().clone(), last_weights[name].detach()) for name, p in first_weights.items()}
    with moving_weights(start) as _, torch.no_grad():
        for a in points_A:
            for name, parameter in first_weights.items():
                zero, one = ends[name]
                parameter.copy_((1 - a) * zero + a * one)
            _measure_statistics(start, pixels)
            for values, split in zip(found, others, strict=True):
                values.append(group_losses(start, split))
    return [np.stack(values) for values in found]


def _measure_statistics(model: nn.Module, pixels_NCHW: Tensor) -> None:
    """BatchNorm's statistics over these images, at the weights as they are."""
    layers = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over batches
        layer.train()
    for batch in pixels_NCHW.split(256):
        model(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
