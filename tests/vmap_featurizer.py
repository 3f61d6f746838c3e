"""The slow twin of the featurizer: traker's own per-sample gradients, then the block sketch.

Shape legend: B images of a batch, K dimensions of a feature.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from trak.gradient_computers import FunctionalGradientComputer
from trak.modelout_functions import ImageClassificationModelOutput

from pipeline.attribution.featurizing import Features, Featurizer
from pipeline.attribution.projector import BlockSketch
from pipeline.core.attribution_settings import AttributeSettings
from pipeline.core.results.attribution import Projection

VMAP_BYTES = 2**29  # of one batch's per-sample gradients; larger networks get smaller batches


class VmapFeatures(NamedTuple):
    """`Features` as they come."""

    features_BK: Tensor
    one_minus_p_B: Tensor


class VmapFeaturizer:
    """Per-sample gradients by traker's `vmap`, then the block sketch: slow, and right for any network."""

    def __init__(
        self, model: nn.Module, *, dim: int, seed: int, device: str, memory_bytes: int = VMAP_BYTES
    ) -> None:
        network = copy.deepcopy(model).to(device).eval()
        n_parameters = sum(p.numel() for p in network.parameters())
        self._gradients = FunctionalGradientComputer(
            model=network,
            task=ImageClassificationModelOutput(),
            grad_dim=n_parameters,
            dtype=torch.float32,
            device=device,
        )
        self._sketch = BlockSketch(n_in=n_parameters, n_out=dim, seed=seed, device=device)
        self.description = Projection(
            kind="block_sketch", dim=dim, n_parameters=n_parameters, precision="fp32", gradients="vmap"
        )
        self.largest_batch = max(1, memory_bytes // (4 * n_parameters))

    @torch.no_grad()  # torch.func.grad differentiates all the same
    def features(self, pixels_B3HW: Tensor, labels_B: Tensor, /, *, stream: int) -> Features:
        batch = (pixels_B3HW, labels_B)
        gradients = self._gradients.compute_per_sample_grad(batch)
        one_minus_p = self._gradients.compute_loss_grad(batch)[:, 0]
        return VmapFeatures(self._sketch.project(gradients, stream=stream), one_minus_p)


def vmap_featurizer(
    model: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    dim: int,
    settings: AttributeSettings,
    device: str,
    chosen: Projection | None,
) -> Featurizer:
    """The featurizer for any network; there is nothing to choose."""
    return VmapFeaturizer(model, dim=dim, seed=settings.seed, device=device)
