"""What turns images into the vectors that scores are made of.

Shape legend: B images of a batch, K dimensions of a feature, H height, W width.
"""

from __future__ import annotations

import copy
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from trak.gradient_computers import FunctionalGradientComputer
from trak.modelout_functions import ImageClassificationModelOutput

from pipeline.attribution.projector import BlockSketch
from pipeline.core.results.attribution import Projection

VMAP_BYTES = 2**29  # of one batch's per-sample gradients; larger networks get smaller batches


class Features(Protocol):
    """Of a batch."""

    @property
    def features_BK(self) -> Tensor:  # noqa: N802
        """Projected gradients of the margin log(p / (1 - p)), p = p(label)."""
        ...

    @property
    def one_minus_p_B(self) -> Tensor:  # noqa: N802
        """TRAK's Q: how much the loss still pulls at the margin."""
        ...


class Featurizer(Protocol):
    """One network's features."""

    @property
    def description(self) -> Projection: ...

    @property
    def largest_batch(self) -> int:
        """Images that fit into the memory allowed; the same in every run of the same settings."""
        ...

    def features(self, pixels_B3HW: Tensor, labels_B: Tensor, /, *, stream: int) -> Features:
        """`stream` numbers the network: each has its own random projection."""
        ...


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
