"""Per-sample gradients of parameters that no hook serves: by torch.func, or else one image at a time.

Shape legend: B images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from pipeline.attribution.gradients.log_odds import label_log_odds, one_minus_p
from pipeline.models.as_found import evaluating

VMAP_BYTES = 2**28  # of per-sample gradients by torch.func at a time
Group = tuple[slice, dict[str, Tensor], Tensor]


def gradients_without_hooks(
    model: nn.Module, names: Sequence[str], pixels_BCHW: Tensor, labels_B: Tensor, *, is_looped: bool
) -> Iterator[Group]:
    """Rows, their gradients for the parameters `names`, and 1 - p.

    A few images at a time, as many as keep the gradients small.

    Args:
        is_looped: one image at a time, for networks that torch.func.vmap cannot run.
    """
    step = max(1, VMAP_BYTES // (4 * sum(model.get_parameter(name).numel() for name in names)))
    some = _looped if is_looped else _mapped
    for start in range(0, len(pixels_BCHW), step):
        rows = slice(start, start + step)
        with evaluating(model):
            grads, left_B = some(model, names, pixels_BCHW[rows], labels_B[rows])
        yield rows, grads, left_B


def loop_gradients(
    model: nn.Module, pixels_BCHW: Tensor, labels_B: Tensor, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Per-sample gradients of these or all trainable parameters, one image at a time."""
    names = names or [name for name, p in model.named_parameters() if p.requires_grad]
    with evaluating(model):
        return _looped(model, names, pixels_BCHW, labels_B)[0]


def _mapped(
    model: nn.Module, names: Sequence[str], pixels_BCHW: Tensor, labels_B: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    weights = {name: model.get_parameter(name).detach() for name in names}

    def margin(some: dict[str, Tensor], pixels: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.func.functional_call(model, some, (pixels[None],))
        return label_log_odds(logits, label[None])[0], one_minus_p(logits, label[None])[0]

    each = torch.func.vmap(torch.func.grad(margin, has_aux=True), in_dims=(None, 0, 0))
    grads, left_B = each(weights, pixels_BCHW, labels_B)
    return {name: grad.detach() for name, grad in grads.items()}, left_B.detach()


@torch.enable_grad()
def _looped(
    model: nn.Module, names: Sequence[str], pixels_BCHW: Tensor, labels_B: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    parameters = [model.get_parameter(name).requires_grad_() for name in names]
    rows: list[list[Tensor]] = [[] for _ in names]
    left: list[Tensor] = []
    for pixels, label in zip(torch.split(pixels_BCHW, 1), torch.split(labels_B, 1), strict=True):
        logits = model(pixels)
        left.append(one_minus_p(logits, label).detach())
        found = torch.autograd.grad(label_log_odds(logits, label).sum(), parameters, allow_unused=True)
        for row, p, grad in zip(rows, parameters, found, strict=True):
            row.append(torch.zeros_like(p) if grad is None else grad)
    return {name: torch.stack(row).detach() for name, row in zip(names, rows, strict=True)}, torch.cat(left)
