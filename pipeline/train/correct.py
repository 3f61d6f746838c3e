"""What a network says of a split: which images it gets right, and how clearly.

Shape legend: N images, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.models.predict import predict_logits
from pipeline.parallel.rank import current_world


@dataclass(frozen=True)
class Answers:
    """What a network says of each image of a split."""

    predicted_N: Int64Array
    correct_N: BoolArray
    losses_N: Float64Array  # cross-entropy with the label
    margins_N: Float64Array  # the label's logit minus the largest other one


def correct_on(model: nn.Module, split: Split) -> BoolArray:
    """Whether an image's most likely class is its label, N; every process predicts a part, all return all."""
    return answers_on(model, split).correct_N


def answers_on(model: nn.Module, split: Split) -> Answers:
    """Every process predicts a part, and all return all."""
    world, device = current_world(), next(model.parameters()).device
    part = world.part(len(split))
    own = slice(part.start, part.stop)
    values = torch.zeros((len(part), 3), dtype=torch.float64, device=device)
    if len(part):  # fewer images than processes leave some without any
        logits = predict_logits(model, split.images[own])
        values += torch.from_numpy(_judge(logits.astype(np.float64), split.labels[own])).to(device)
    whole = world.gather(values, len(split)).cpu().numpy()
    predicted_N = whole[:, 0].astype(np.int64)
    return Answers(predicted_N, predicted_N == split.labels, whole[:, 1], whole[:, 2])


def _judge(logits_NK: Float64Array, labels_N: Int64Array) -> Float64Array:
    """Predicted class, loss and margin, N x 3."""
    rows, labels_N1 = np.arange(len(labels_N)), labels_N[:, None]
    own_N, predicted_N = logits_NK[rows, labels_N], logits_NK.argmax(1)
    others_NK = logits_NK.copy()
    np.put_along_axis(others_NK, labels_N1, -np.inf, axis=1)
    losses_N = np.logaddexp.reduce(logits_NK, axis=1) - own_N
    return np.stack([predicted_N, losses_N, own_N - others_NK.max(1)], axis=1)
