"""Gradient cosine: training images whose gradient points where the target's does. A baseline.

Sign. With L = -log p(label) and the margin f = log(p / (1 - p)), the gradients of one image are
parallel: grad L = -(1 - p) grad f. A gradient step on the training image moves the parameters along
-grad L(train) and the target's margin by

    <grad f(target), -grad L(train)> = (1 - p(train)) <grad f(target), grad f(train)>,

so the training image helps where this is positive. A cosine keeps the sign and drops the length,
and both factors -(1 - p) of two loss gradients with it:

    cos(grad L, grad L') = cos(grad f, grad f')  for every pair of images and every model.

Margin gradients are used. They are what TRAK projects anyway, and they stay readable where p is so
close to 1 that the loss gradient is zero in float32. The mixed cosine of a loss gradient with a
margin gradient would have the opposite sign.

Shape legend: N training images, B images of a block, K projected dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.attribution.scores import Factor, FactoredScores, ReadBlock
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import Float32Array


def grad_cosine(
    gradients: Sequence[Factor], *, n_train: int, n_targets: int, dim: int, device: str = "cpu"
) -> FactoredScores:
    """Mean over networks of the cosine between gradients of a training image and of a target, in -1..1.

    An image without a gradient has cosine 0 with every other.

    Args:
        gradients: of each network, projected gradients of the margin of each image's own label, before any
            multiplication by the inverse of their second moment (which is TRAK's, not a cosine's), both
            sides by the same draw: `TrakStore.rows`.

    Raises:
        InputError: no network.
        TrainingError, when scores are read: gradients are not finite.
    Source: Charpiat et al. 2019 (input similarity from the network's perspective); a baseline of Park
    et al. 2023 (arXiv:2303.14186).
    """
    if not gradients:
        raise InputError("attribution needs at least one trained model: run the train stage first.")
    units = [Factor(_unit_rows(factor.train), _unit_rows(factor.targets)) for factor in gradients]
    return FactoredScores(units, np.ones(n_train), n_targets=n_targets, dim=dim, device=device)


def _unit_rows(read: ReadBlock) -> ReadBlock:
    """The same rows with length 1; rows of zeros stay as they are."""

    def read_unit(rows: slice) -> Float32Array:
        block_BK = np.asarray(read(rows), np.float64)  # squares of half-precision numbers overflow
        norms_B = np.linalg.norm(block_BK, axis=1)
        if not np.isfinite(norms_B).all():
            raise TrainingError(
                "per-sample gradients are not finite, so the network's weights are not usable. "
                "Train it again with a lower train.lr."
            )
        unit: Float32Array = (block_BK / np.where(norms_B > 0, norms_B, 1)[:, None]).astype(np.float32)
        return unit

    return read_unit
