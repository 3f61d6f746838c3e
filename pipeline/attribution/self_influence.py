"""How much each training image props up its own prediction: large where a label is learned by heart.

Shape legend: N training images, B images of one block, D dimensions of the projected gradients.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array, Float64Array


def self_influence(
    features: Iterable[Tensor], preconditioned: Iterable[Tensor], p_label_N: Float32Array | Float64Array
) -> Float64Array:
    """The influence of each training image on its own loss, of one model; average them over models.

    With features phi (gradients of the margin) it is (1 - p)^2 phi^T (Phi^T Phi + lambda)^-1 phi: the
    gradient of the loss is the margin's times p - 1, and influence has it twice.

    Args:
        features: blocks of phi, B x D, in the order of the images; any precision.
        preconditioned: the same blocks of phi^T (Phi^T Phi + lambda)^-1.
        p_label_N: p, the probability that the model gives the image's label.

    Raises:
        InputError: blocks that do not match, or of another number of images.

    Source: Koh and Liang 2017 (arXiv:1703.04730); Feldman and Zhang 2020 (arXiv:2008.03703).
    """
    parts = []
    for block_BD, solved_BD in zip(features, preconditioned, strict=True):
        if block_BD.shape != solved_BD.shape:
            raise InputError(
                f"self-influence: a block of features is {tuple(block_BD.shape)} before and "
                f"{tuple(solved_BD.shape)} after preconditioning; both come from one store."
            )
        # half-precision stores: the sum over D dimensions is taken in single precision
        leverage_B = (block_BD.float() * solved_BD.float()).sum(1)
        parts.append(leverage_B.double().cpu().numpy())
    leverage_N = np.concatenate(parts) if parts else np.empty(0)
    if len(leverage_N) != len(p_label_N):
        raise InputError(
            f"self-influence: the store has features of {len(leverage_N)} images, there are probabilities "
            f"of {len(p_label_N)}. Delete .scratch/attribute and run `dvc repro` again."
        )
    influence_N: Float64Array = leverage_N * (1.0 - np.asarray(p_label_N, np.float64)) ** 2
    return influence_N
