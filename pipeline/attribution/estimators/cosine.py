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

Shape legend: S models, N training images, M targets, K projected dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.attribution.estimators.scores import FloatArray, ProductScores, check_features, row_norms
from pipeline.core.errors import TrainingError
from pipeline.core.types import Float32Array


def grad_cosine(train: Sequence[FloatArray], targets: Sequence[FloatArray]) -> ProductScores:
    """Mean over models of the cosine between gradients of a training image and of a target, in -1..1.

    An image without a gradient has cosine 0 with every other.

    Args:
        train: of each model, projected gradients N x K of the margin of each image's own label, before
            any multiplication by the inverse of their second moment (which is TRAK's, not a cosine's).
        targets: the same of the targets, M x K, projected by the same draw.

    Raises:
        InputError: the features do not belong together.
        TrainingError: gradients are not finite.
    Source: Charpiat et al. 2019 (input similarity from the network's perspective); a baseline of Park
    et al. 2023 (arXiv:2303.14186).
    """
    check_features(train, targets)
    return ProductScores(
        train,
        targets,
        np.stack([_inverse_norms(features_NK) for features_NK in train]),
        np.stack([_inverse_norms(features_MK) for features_MK in targets]),
    )


def _inverse_norms(features_NK: FloatArray) -> Float32Array:
    norms = row_norms(features_NK)
    if not np.isfinite(norms).all():
        raise TrainingError(
            "per-sample gradients are not finite, so the network's weights are not usable. "
            "Train it again with a lower train.lr."
        )
    inverse: Float32Array = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0).astype(np.float32)
    return inverse
