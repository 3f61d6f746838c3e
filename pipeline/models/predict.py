"""Batched inference on packed uint8 images.

Shape legend: N images, K classes, C channels, H height, W width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array, UInt8Array


def to_pixels(images_NHW3: UInt8Array | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 N x H x W x 3 -> float32 pixels in [0, 1], N x 3 x H x W in channels-last memory."""
    if not isinstance(images_NHW3, Tensor):  # a copy: torch warns about read-only memory maps
        images_NHW3 = torch.from_numpy(np.array(images_NHW3, order="C"))
    return images_NHW3.to(device).permute(0, 3, 1, 2).float().div_(255)


@torch.no_grad()
def predict_logits(model: nn.Module, images_NHW3: UInt8Array, *, batch_size: int = 256) -> Float32Array:
    """Logits N x K in fp32 evaluation mode, computed where the model lives; its training flag is restored."""
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    parts = [
        model(to_pixels(images_NHW3[i : i + batch_size], device)).float().cpu()
        for i in range(0, len(images_NHW3), batch_size)
    ]
    model.train(was_training)
    return torch.cat(parts).numpy() if parts else np.zeros((0, 0), np.float32)


def check_numbers(logits_NK: Float32Array, of: str) -> None:
    """What no image of a network may give.

    Raises:
        InputError: an output is NaN.
    """
    n_bad = int(np.isnan(logits_NK).any(axis=1).sum())
    if n_bad:
        raise InputError(
            f"{of} returns NaN for {n_bad:,} of {len(logits_NK):,} images. Mend the network, or give other "
            "weights."
        )
