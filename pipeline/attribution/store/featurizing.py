"""What turns images into the vectors that scores are made of.

Shape legend: B images of a batch, K dimensions of a feature, H height, W width.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from pipeline.attribution.gradients.featurizer import make_featurizer
from pipeline.records.attribution import Projection
from pipeline.settings.attribution import AttributeSettings


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


def choose_featurizer(
    model: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    dim: int,
    settings: AttributeSettings,
    device: str,
    chosen: Projection | None,
) -> Featurizer:
    """Gradients from layer hooks, as the settings ask for or by what is fastest here.

    Parameters whose layers have no hook get theirs from `torch.func.vmap`.
    """
    if chosen is not None:
        settings = settings.model_copy(update={"projection": chosen.kind, "precision": chosen.precision})
    return make_featurizer(
        model,
        image_shape=image_shape,
        dim=dim,
        projection=settings.projection,
        precision=settings.precision,
        seed=settings.seed,
        device=device,
    )
