"""Images to features: per-sample gradients of the margin, projected to K numbers in the same pass.

Shape legend: B images, K projected dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.attribution.gradients.choice import choose_precision, choose_projection
from pipeline.attribution.gradients.fallback import gradients_without_hooks
from pipeline.attribution.gradients.log_odds import one_minus_p
from pipeline.attribution.gradients.plan import Plan, make_plan
from pipeline.attribution.gradients.sketching import LayerSketch
from pipeline.attribution.gradients.tape import record
from pipeline.core.errors import InputError
from pipeline.records.attribution import Projection

MEMORY_BYTES = 2**29
BACKWARD_SHARE = 2  # memory of both passes over that of what the forward pass keeps
MOST_IMAGES = 256  # more at a time are no faster
TIMED_IMAGES = 64  # fewer would time the cast of the weights


@dataclass(frozen=True)
class Features:
    """What TRAK needs of a batch."""

    features_BK: Tensor  # float32, projected gradients of the margin
    one_minus_p_B: Tensor  # float32, the loss weighting Q


class Featurizer:
    """Features of images under one network's weights; other weights by `load`."""

    def __init__(
        self, model: nn.Module, plan: Plan, sketch: LayerSketch, description: Projection, memory_bytes: int
    ) -> None:
        self.model = model
        self.description = description
        self._plan = plan
        self._sketch = sketch
        self._half = description.precision == "bf16"
        images = memory_bytes // max(1, BACKWARD_SHARE * plan.bytes_per_image)
        self.largest_batch = max(1, min(MOST_IMAGES, images))  # images that one pass takes

    def load(self, model: nn.Module) -> None:
        """Go on with another network of the same architecture.

        Raises:
            InputError: its trainable parameters differ.
        """
        shapes = {name: p.shape for name, p in model.named_parameters() if name in self._plan.shapes}
        if shapes != self._plan.shapes:
            raise InputError("the network's parameters are not those that the featurizer was made for")
        self.model = model

    def features(self, pixels_BCHW: Tensor, labels_B: Tensor, *, stream: int) -> Features:
        """Features of a batch of any size; `stream` (the model's number) selects the random draw."""
        self._sketch.draw(stream)
        parts = [
            self._pass(pixels, labels)
            for pixels, labels in zip(
                torch.split(pixels_BCHW, self.largest_batch),
                torch.split(labels_B, self.largest_batch),
                strict=True,
            )
        ]
        return Features(
            torch.cat([part.features_BK for part in parts]), torch.cat([part.one_minus_p_B for part in parts])
        )

    def _pass(self, pixels_BCHW: Tensor, labels_B: Tensor) -> Features:
        out_BK = torch.zeros(len(pixels_BCHW), self._sketch.dim, device=pixels_BCHW.device)
        left_B = torch.zeros(len(pixels_BCHW), device=pixels_BCHW.device)
        by_vmap = self._plan.by_vmap
        groups = (
            gradients_without_hooks(
                self.model, by_vmap, pixels_BCHW, labels_B, is_looped=self._plan.is_looped
            )
            if by_vmap
            else iter(())
        )
        for rows, grads, left in groups:
            left_B[rows] = left
            for name, grad in grads.items():
                self._sketch.add_flat(out_BK[rows], name, grad.flatten(1))
        if self._plan.tapped:
            logits_BK = record(
                self.model,
                self._plan.tapped,
                pixels_BCHW.contiguous(memory_format=self._plan.memory_format),
                labels_B,
                lambda term: self._sketch.add(out_BK, term),
                half=self._half,
            )
            left_B = one_minus_p(logits_BK, labels_B)
        return Features(out_BK, left_B)


def make_featurizer(
    model: nn.Module,
    *,
    image_shape: Sequence[int],
    dim: int,
    projection: Literal["auto", "block_sketch", "factorized"] = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    seed: int,
    device: str,
    memory_bytes: int = MEMORY_BYTES,
) -> Featurizer:
    """The fastest featurizer for this network on this machine, or the one that is asked for.

    `image_shape` is C, H, W. The draw depends on `seed` and the stream alone.

    Raises:
        InputError: no parameter is trainable.
    """
    plan = make_plan(model, image_shape)
    kind = choose_projection(plan, dim) if projection == "auto" else projection

    def build(precision: str) -> Featurizer:
        description = Projection(
            kind=kind, dim=dim, n_parameters=plan.n_parameters, precision=precision,
            gradients="hooks" if plan.tapped else "vmap",
        )  # fmt: skip
        sketch = LayerSketch(plan, dim=dim, seed=seed, device=device, factorized=kind == "factorized")
        return Featurizer(model, plan, sketch, description, memory_bytes)

    if precision != "auto":
        return build(precision)
    candidates = {name: build(name) for name in ("fp32", "bf16")}
    batch = _random_batch(image_shape, candidates["fp32"].largest_batch, device)
    chosen = choose_precision(
        {name: partial(f.features, *batch, stream=0) for name, f in candidates.items()}, plan, device
    )
    return candidates[chosen]


def _random_batch(image_shape: Sequence[int], largest: int, device: str) -> tuple[Tensor, Tensor]:
    n = min(TIMED_IMAGES, largest)
    pixels = torch.rand(n, *image_shape, generator=torch.Generator().manual_seed(0))
    return pixels.to(device), torch.zeros(n, dtype=torch.int64, device=device)
