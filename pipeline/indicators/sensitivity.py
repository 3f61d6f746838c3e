"""Sensitivity: how much the probabilities change with the pixels, at test images.

Shape legend: N images, S networks, R images of the sample, K classes, C channels, H height, W width,
T directions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.types import Float64Array, UInt8Array
from pipeline.indicators.indicator import ByImage, ImageIndicator, UnmeasuredError, Words
from pipeline.indicators.looked_at import batches_of, networks, sampled_rows
from pipeline.indicators.subject import Subject
from pipeline.models.as_found import evaluating

N_DIRECTIONS = 16  # backward passes an image; up to so many classes the norm is exact


def jacobian_norm(
    model: nn.Module,
    pixels_NCHW: Tensor,
    *,
    of: Literal["probabilities", "logits"] = "probabilities",
    directions_NKT: Tensor | None = None,
) -> Tensor:
    """Frobenius norms of the outputs' derivatives by the pixels, N.

    Args:
        directions_NKT: orthonormal columns; the norm is sqrt(K / T sum_t |v_t' J|^2), which is without bias
            in its square, and exact where T = K. None: the unit vectors.

    Raises:
        UnmeasuredError: the network lets no gradient through.
    Source: Novak et al. 2018 (arXiv:1802.08760); random directions: Hutchinson 1990.
    """
    pixels_NCHW = pixels_NCHW.detach().requires_grad_()
    with torch.enable_grad():
        outputs_NK = model(pixels_NCHW)
        if not outputs_NK.requires_grad:
            raise UnmeasuredError("The network's outputs have no gradient with respect to pixels.")
        if of == "probabilities":
            outputs_NK = outputs_NK.softmax(1)
        n, n_outputs = outputs_NK.shape
        if directions_NKT is None:
            directions_NKT = torch.eye(n_outputs).expand(n, -1, -1)
        n_directions = directions_NKT.shape[2]
        square_N = outputs_NK.new_zeros(n)
        for t in range(n_directions):
            direction_NK = directions_NKT[:, :, t].to(outputs_NK)
            (row_NCHW,) = torch.autograd.grad(
                outputs_NK, pixels_NCHW, direction_NK, retain_graph=t + 1 < n_directions
            )
            square_N += row_NCHW.square().sum((1, 2, 3))
    norm_N: Tensor = (square_N * n_outputs / n_directions).sqrt()
    return norm_N


def draw_directions(n: int, n_classes: int, generator: torch.Generator) -> Tensor | None:
    """`N_DIRECTIONS` orthonormal vectors for each of n images, uniform, N x K x T; None: all K are taken."""
    if n_classes <= N_DIRECTIONS:
        return None
    gaussian_NKT = torch.randn((n, n_classes, N_DIRECTIONS), generator=generator)
    frame_NKT: Tensor = torch.linalg.qr(gaussian_NKT).Q
    return frame_NKT


def norms_at(subject: Subject, images_RHW3: UInt8Array | Float64Array) -> ByImage:
    """The norm for every network at these images, S x R x 1; floating images hold 0 to 255, too."""
    models = networks(subject)
    values_SR1 = np.empty((len(models), len(images_RHW3), 1))
    for s, model in enumerate(models):
        generator = torch.Generator().manual_seed(subject.settings.seed)
        with evaluating(model):
            for rows, pixels in batches_of(images_RHW3, model):
                directions = draw_directions(len(pixels), subject.n_classes, generator)
                norm = jacobian_norm(model, pixels, directions_NKT=directions)
                values_SR1[s, rows, 0] = norm.double().cpu().numpy()
    return ByImage(values_SR1)


def _per_image(subject: Subject) -> ByImage:
    return norms_at(subject, subject.test.images[sampled_rows(subject)])


INDICATOR = ImageIndicator(
    name="sensitivity",
    words=Words(
        title="sensitivity",
        sees="How much the probabilities change when pixels change a little, at test images. Networks that "
        "generalize tend to be less sensitive there; images of high sensitivity are more often wrong.",
        unit="number",
        better="lower",
        source="Novak et al. 2018 (arXiv:1802.08760)",
    ),
    per_image=_per_image,
    images="sample",
)
