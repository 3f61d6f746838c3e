"""Embeddings: what a network's last layer sees.

Shape legend: N images, D features.
"""

from __future__ import annotations

import numpy as np
import torch

from pipeline.core.types import Float32Array, Split
from pipeline.models.interface import Classifier
from pipeline.models.predict import to_pixels


@torch.no_grad()
def embed_split(model: Classifier, split: Split, *, batch_size: int = 256) -> Float32Array:
    """Embeddings N x D of a split's images in fp32 evaluation mode, computed where the model lives.

    They take N x D x 4 bytes: compute them once for a model and hand them to everything that reads them.

    Raises:
        CannotExplainError: the network has no last linear layer.
    """
    was_training = model.training
    model.eval()
    out = np.empty((len(split), model.n_features()), np.float32)
    for start in range(0, len(split), batch_size):
        rows = slice(start, start + batch_size)
        out[rows] = model.embed(to_pixels(split.images[rows], model.mean.device)).float().cpu().numpy()
    model.train(was_training)
    return out
