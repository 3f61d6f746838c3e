"""Which images of a split a network gets right.

Shape legend: N images.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.core.types import BoolArray, Split
from pipeline.models.predict import predict_logits
from pipeline.parallel.rank import current_world


def correct_on(model: nn.Module, split: Split) -> BoolArray:
    """Whether an image's most likely class is its label, N; every process predicts a part, all return all."""
    world, device = current_world(), next(model.parameters()).device
    part = world.part(len(split))
    own = slice(part.start, part.stop)
    right = torch.zeros(len(part), device=device)
    if len(part):  # fewer images than processes leave some without any
        logits = predict_logits(model, split.images[own])
        right += torch.from_numpy(logits.argmax(1) == split.labels[own]).to(device)
    correct_N: BoolArray = world.gather(right, len(split)).cpu().numpy() > 0
    return correct_N
