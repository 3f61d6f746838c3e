"""Sharpness: how much the training loss grows when weights change a little.

Shape legend: S networks, N images, C channels, H height, W width; parameters have any shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.types import Int64Array
from pipeline.indicators.indicator import ByModel, ModelIndicator, UnmeasuredError, Words
from pipeline.indicators.looked_at import device_of, networks
from pipeline.indicators.subject import Subject
from pipeline.models.as_found import moving_weights
from pipeline.models.predict import to_pixels
from pipeline.models.uphill import TINY, ascent, length

RELATIVE_NOISE = 0.05  # standard deviation of the adaptive noise, in units of each weight
PLAIN_NOISE = 0.01  # of the plain noise, of all weights alike
N_DRAWS = 8  # one draw's increase varies by about its mean: draws say more than images do
N_ASCENTS = 5
BATCH_SIZE = 256
LANCZOS_VECTORS = 8
EIGENVALUE_TOLERANCE = 1e-2  # relative


@dataclass(frozen=True)
class Loss:
    """Mean loss of a fixed set of images, as a function of the weights where they are now."""

    model: nn.Module  # in evaluation mode: BatchNorm's statistics stay as trained
    pixels_NCHW: Tensor
    labels_N: Tensor
    kind: type[nn.CrossEntropyLoss] | type[nn.MSELoss] = nn.CrossEntropyLoss

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """Pixels and labels."""
        return list(zip(self.pixels_NCHW.split(BATCH_SIZE), self.labels_N.split(BATCH_SIZE), strict=True))

    @torch.no_grad()
    def value(self) -> float:
        """The loss."""
        of = self.kind(reduction="sum")
        return sum(float(of(self.model(x), y)) for x, y in self.batches()) / len(self.labels_N)

    def with_gradients(self, parameters: Sequence[Tensor]) -> tuple[float, list[Tensor]]:
        """The loss and its derivatives."""
        of = self.kind(reduction="sum")
        total, gradients = 0.0, [torch.zeros_like(p) for p in parameters]
        for x, y in self.batches():
            with torch.enable_grad():
                loss = of(self.model(x), y) / len(self.labels_N)
                found = torch.autograd.grad(loss, parameters, allow_unused=True)
            total += loss.item()
            for gradient, part in zip(gradients, found, strict=True):
                if part is not None:
                    gradient.add_(part)
        return total, gradients


@torch.no_grad()
def sizes(parameters: Sequence[Tensor]) -> list[Tensor]:
    """|w|: what adaptive sharpness measures changes in. The same of rescaled weights of one function."""
    return [p.detach().abs() for p in parameters]


def worst_increase(
    loss: Loss,
    parameters: Sequence[Tensor],
    scales: Sequence[Tensor],
    *,
    radius: float,
    steps: int = N_ASCENTS,
) -> float:
    """The largest increase that gradient ascent finds where |change / scales| <= radius.

    The first step goes to the edge (that of SAM), later ones half a radius on, back into the ball; a lower
    bound of the maximum, and never below 0.

    Source: Kwon et al. 2021 (arXiv:2102.11600), equation 4; Andriushchenko et al. 2023 (arXiv:2302.07011).
    """
    before = [p.detach().clone() for p in parameters]
    start, gradients = loss.with_gradients(parameters)
    changes, largest = [torch.zeros_like(p) for p in parameters], start
    for step in range(steps):
        by = radius if step == 0 else radius / 2
        torch._foreach_add_(changes, ascent(gradients, scales, rho=by))
        _into_ball(changes, scales, radius)
        _move(parameters, before, changes)
        if step + 1 == steps:
            now = loss.value()
        else:
            now, gradients = loss.with_gradients(parameters)
        largest = max(largest, now)
    _move(parameters, before, [])
    return largest - start


def mean_increase(
    loss: Loss,
    parameters: Sequence[Tensor],
    scales: Sequence[Tensor],
    *,
    deviation: float,
    seed: int,
    draws: int = N_DRAWS,
) -> float:
    """Mean increase under Gaussian noise with standard deviation `deviation` x scales.

    Every draw is used with both signs: what the gradient does cancels.

    Source: Andriushchenko et al. 2023 (arXiv:2302.07011), equation 2.
    """
    before, start = [p.detach().clone() for p in parameters], loss.value()
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(draws // 2):
        noise = [torch.randn(p.shape, generator=generator).to(p) * deviation for p in parameters]
        changes = list(torch._foreach_mul(noise, list(scales)))
        for sign in (1, -1):
            _move(parameters, before, list(torch._foreach_mul(changes, sign)))
            found.append(loss.value() - start)
    _move(parameters, before, [])
    return float(np.mean(found))


def top_eigenvalue(loss: Loss, parameters: Sequence[nn.Parameter], seed: int) -> float:
    """The largest eigenvalue of the loss's Hessian, by Lanczos iterations.

    Source: the Hessian as a linear operator: Dangel et al. 2025 (arXiv:2501.19183).
    """
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import eigsh

    mean = loss.kind(reduction="mean")
    hessian = HessianLinearOperator(
        loss.model, mean, list(parameters), loss.batches(), check_deterministic=False
    ).to_scipy(np.float64)
    start = np.random.default_rng(seed).standard_normal(hessian.shape[0])
    n_vectors = min(LANCZOS_VECTORS, hessian.shape[0])
    found = eigsh(
        hessian,
        k=1,
        which="LA",
        v0=start,
        ncv=n_vectors,
        tol=EIGENVALUE_TOLERANCE,
        return_eigenvectors=False,
    )
    return float(found[0])


@torch.no_grad()
def _move(parameters: Sequence[Tensor], before: Sequence[Tensor], changes: Sequence[Tensor]) -> None:
    """To the weights before plus the changes; no changes: exactly back."""
    torch._foreach_copy_(list(parameters), list(before))
    if changes:
        torch._foreach_add_(list(parameters), list(changes))


@torch.no_grad()
def _into_ball(changes: list[Tensor], scales: Sequence[Tensor], radius: float) -> None:
    """Shorten the changes to |change / scales| <= radius; a weight of scale 0 does not move."""
    relative = [
        torch.where(scale > 0, change / scale, 0.0) for change, scale in zip(changes, scales, strict=True)
    ]
    norm = length(relative)
    if norm > radius:
        torch._foreach_mul_(changes, radius / (norm + TINY))


def _draw(n: int, n_drawn: int, seed: int) -> Int64Array:
    """Ascending rows drawn from all of train alike, as its loss is a mean over all of it."""
    rng = np.random.default_rng([seed, 2])
    return np.sort(rng.choice(n, min(n, n_drawn), replace=False)).astype(np.int64)


def _per_model(subject: Subject) -> ByModel:
    settings = subject.settings
    models = networks(subject)
    if settings.sharpness_images == 0:
        raise UnmeasuredError("indicators.sharpness_images is 0. Set it to 256 or more to measure sharpness.")
    rows = _draw(len(subject.train), settings.sharpness_images, settings.seed)
    images, labels = subject.train.images[rows], torch.from_numpy(subject.train.labels[rows])
    parts: dict[str, list[float]] = {name: [] for name in TITLES}
    if not settings.sharpness_eigenvalue:
        del parts["eigenvalue"]
    for s, model in enumerate(models):
        seed = settings.seed + s  # noise of its own: the interval over networks holds that of the draws
        device = device_of(model)
        loss = Loss(model, to_pixels(images, device), labels.to(device))
        with moving_weights(model) as parameters:
            scales = sizes(parameters)
            ones = [torch.ones_like(p) for p in parameters]
            found = {
                "worst": worst_increase(loss, parameters, scales, radius=settings.sharpness_radius),
                "average": mean_increase(loss, parameters, scales, deviation=RELATIVE_NOISE, seed=seed),
                "plain": mean_increase(loss, parameters, ones, deviation=PLAIN_NOISE, seed=seed),
            }
            if settings.sharpness_eigenvalue:
                found["eigenvalue"] = top_eigenvalue(loss, parameters, seed)
        for name, number in found.items():
            parts[name].append(number)
    return ByModel(parts, titles={name: TITLES[name] for name in parts}, notes=NOTES)


TITLES = {
    "worst": "largest increase of the training loss, weights changed relative to their size",
    "average": f"mean increase, noise of {RELATIVE_NOISE:.0%} of each weight",
    "plain": f"mean increase, noise of {PLAIN_NOISE:g} on every weight",
    "eigenvalue": "largest eigenvalue of the Hessian",
}
NOTES = (
    "Plain noise and the eigenvalue change with the scale of the weights even where the network's answers do "
    "not: compare them between networks that were trained alike only.",
)

INDICATOR = ModelIndicator(
    name="sharpness",
    words=Words(
        title="sharpness",
        sees="How much the training loss grows when the weights change a little, each relative to its size. "
        "Flat minima are often, not always, those that generalize.",
        unit="number",
        better="lower",
        source="Kwon et al. 2021 (arXiv:2102.11600); Andriushchenko et al. 2023 (arXiv:2302.07011)",
    ),
    per_model=_per_model,
)
