"""Attacks in a ball of the maximum norm: fast gradient sign (FGSM), projected gradient descent (PGD).

Pixels are in [0, 1] and normalization is a part of the network, so that ball and range are those of pixels.
Shape legend: N images, C channels, H height, W width, K classes, n the images not yet fooled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.indicators.indicator import UnmeasuredError

Loss = Callable[[Tensor, Tensor], Tensor]  # of logits N x K and labels N, one number an image


@dataclass(frozen=True)
class Budget:
    """What an attack may do."""

    radius: float  # of the ball, in pixels
    steps: int
    restarts: int  # random starts beside FGSM's answer
    seed: int

    @property
    def step_size(self) -> float:
        """2.5 radius / steps: every point of the ball is in reach from any start (Madry et al. 2018)."""
        return 2.5 * self.radius / self.steps


@dataclass(frozen=True)
class Attacked:
    """What an attack found; nothing of images that were not answered as `labels` say."""

    pixels_NCHW: Tensor  # of the largest margin that was seen
    margin_N: Tensor  # there
    fgsm_flips_N: Tensor  # bool: FGSM changes the answer
    flips_N: Tensor  # bool: some point that was tried changes it; at least where FGSM does
    masked_N: Tensor  # bool: the gradient of cross-entropy is zero in every pixel, the margin's is not


def cross_entropy(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The loss of FGSM. Where the softmax is saturated its gradient is lost in rounding."""
    return functional.cross_entropy(logits_NK, labels_N, reduction="none")


def margin(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """Largest other logit minus the label's, above 0 where the answer is another; never saturated.

    Of two classes it is what cross-entropy grows with, so that both attacks are the same.
    Source: Carlini & Wagner 2017 (arXiv:1608.04644), their f6.
    """
    own_N1 = labels_N[:, None]
    others_NK = logits_NK.scatter(1, own_N1, float("-inf"))
    return others_NK.amax(1) - logits_NK.gather(1, own_N1).squeeze(1)


def gradients(model: nn.Module, pixels_NCHW: Tensor, labels_N: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """Logits N x K and the gradients of each image's loss by its pixels, N x C x H x W.

    Raises:
        UnmeasuredError: the network lets no gradient through.
    """
    pixels_NCHW = pixels_NCHW.detach().requires_grad_()
    with torch.enable_grad():
        logits_NK = model(pixels_NCHW)
        if not logits_NK.requires_grad:
            raise UnmeasuredError("The network's outputs have no gradient with respect to pixels.")
        (grad_NCHW,) = torch.autograd.grad(loss(logits_NK, labels_N).sum(), pixels_NCHW)
    return logits_NK.detach(), grad_NCHW


def move(center_NCHW: Tensor, point_NCHW: Tensor, grad_NCHW: Tensor, *, by: float, radius: float) -> Tensor:
    """A step up along the gradient's sign, back into the ball around `center` and into [0, 1]."""
    change_NCHW = (point_NCHW + by * grad_NCHW.sign() - center_NCHW).clamp(-radius, radius)
    return (center_NCHW + change_NCHW).clamp(0, 1)


def fgsm(model: nn.Module, pixels_NCHW: Tensor, labels_N: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """FGSM's answer, and which images have masked gradients, N: those follow the margin's gradient.

    Source: Goodfellow et al. 2015 (arXiv:1412.6572); masked gradients: Athalye et al. 2018
    (arXiv:1802.00420).
    """
    _, grad_NCHW = gradients(model, pixels_NCHW, labels_N, cross_entropy)
    masked_N = _is_zero(grad_NCHW)
    if masked_N.any():
        _, grad_NCHW[masked_N] = gradients(model, pixels_NCHW[masked_N], labels_N[masked_N], margin)
        masked_N &= ~_is_zero(grad_NCHW)  # what does not depend on the pixels at all hides nothing
    return move(pixels_NCHW, pixels_NCHW, grad_NCHW, by=radius, radius=radius), masked_N


def _is_zero(grad_NCHW: Tensor) -> Tensor:
    return (grad_NCHW == 0).flatten(1).all(1)


def attack(model: nn.Module, pixels_NCHW: Tensor, labels_N: Tensor, budget: Budget) -> Attacked:
    """The strongest of FGSM and of PGD from FGSM's answer and from random starts, for each image by itself.

    PGD climbs the margin and leaves an image once one point of its path changes the answer. `model` is in
    evaluation mode.

    Source: Madry et al. 2018 (arXiv:1706.06083); the strongest for each image: Croce & Hein 2020
    (arXiv:2003.01690).
    """
    with torch.no_grad():
        logits_NK = model(pixels_NCHW)
    first_NCHW, masked_N = fgsm(model, pixels_NCHW, labels_N, budget.radius)
    search = _Search(model, pixels_NCHW, labels_N, logits_NK)
    search.climb(first_NCHW, budget, steps=0)  # FGSM's answer alone
    fgsm_flips_N = search.flips_N.clone()
    for start_NCHW in _starts(first_NCHW, pixels_NCHW, budget):
        search.climb(start_NCHW, budget, steps=budget.steps)
    return Attacked(search.best_NCHW, search.margin_N, fgsm_flips_N, search.flips_N, masked_N)


def _starts(first_NCHW: Tensor, pixels_NCHW: Tensor, budget: Budget) -> Iterator[Tensor]:
    yield first_NCHW
    generator = torch.Generator().manual_seed(budget.seed)
    for _ in range(
        budget.restarts
    ):  # drawn for all images: whoever is fooled already changes no other's start
        noise = torch.rand(pixels_NCHW.shape, generator=generator).to(pixels_NCHW) * 2 - 1
        yield (pixels_NCHW + budget.radius * noise).clamp(0, 1)


class _Search:
    """The largest margin of each image so far, and whose answer was changed."""

    def __init__(self, model: nn.Module, center_NCHW: Tensor, labels_N: Tensor, logits_NK: Tensor) -> None:
        self.model, self.center_NCHW, self.labels_N = model, center_NCHW, labels_N
        self.best_NCHW, self.margin_N = center_NCHW.clone(), margin(logits_NK, labels_N)
        self.asked_N = logits_NK.argmax(1) == labels_N
        self.flips_N = torch.zeros_like(self.asked_N)

    def climb(self, start_NCHW: Tensor, budget: Budget, *, steps: int) -> None:
        """From the starts of all images that are not fooled yet, until they are."""
        rows_n = (self.asked_N & ~self.flips_N).nonzero().squeeze(1)
        point_nCHW = start_NCHW[rows_n]
        for step in range(steps + 1):
            if len(rows_n) == 0:
                return
            labels_n = self.labels_N[rows_n]
            if step < steps:
                logits_nK, grad_nCHW = gradients(self.model, point_nCHW, labels_n, margin)
            else:
                with torch.no_grad():
                    logits_nK, grad_nCHW = self.model(point_nCHW), torch.zeros_like(point_nCHW)
            kept_n = self._note(rows_n, point_nCHW, logits_nK)
            center_nCHW = self.center_NCHW[rows_n]
            onward_nCHW = move(center_nCHW, point_nCHW, grad_nCHW, by=budget.step_size, radius=budget.radius)
            rows_n, point_nCHW = rows_n[kept_n], onward_nCHW[kept_n]

    def _note(self, rows_n: Tensor, point_nCHW: Tensor, logits_nK: Tensor) -> Tensor:
        """Keep what is better than before; which images are still answered as before, n."""
        margin_n, labels_n = margin(logits_nK, self.labels_N[rows_n]), self.labels_N[rows_n]
        flipped_n = logits_nK.argmax(1) != labels_n
        better_n = (margin_n > self.margin_N[rows_n]) | flipped_n
        self.best_NCHW[rows_n[better_n]] = point_nCHW[better_n]
        self.margin_N[rows_n[better_n]] = margin_n[better_n]
        self.flips_N[rows_n[flipped_n]] = True
        return ~flipped_n
