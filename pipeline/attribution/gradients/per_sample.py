"""Exact per-sample gradients of the margin, from hooks where a layer allows it.

Shape legend: B images, P parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from pipeline.attribution.gradients.log_odds import label_log_odds, one_minus_p
from pipeline.attribution.gradients.plan import Exact, Plan, make_plan
from pipeline.attribution.gradients.tape import evaluating, record

VMAP_BYTES = 2**28  # of per-sample gradients at a time


def per_sample_gradients(
    model: nn.Module, pixels_BCHW: Tensor, labels_B: Tensor, plan: Plan | None = None
) -> dict[str, Tensor]:
    """Gradients of log(p / (1 - p)) of the label for each image, in evaluation mode.

    Parameter name -> B x (shape of the parameter), trainable parameters only, in the network's order.
    Without a `plan` one is made, which costs a few passes over two images.

    Raises:
        InputError: no parameter is trainable.
    """
    plan = plan or make_plan(model, pixels_BCHW.shape[1:])
    collected = Exact()
    if plan.tapped:
        pixels = pixels_BCHW.contiguous(memory_format=plan.memory_format)
        record(model, plan.tapped, pixels, labels_B, collected)
    if plan.by_vmap:
        parts = [grads for _, grads, _ in vmap_gradients(model, plan.by_vmap, pixels_BCHW, labels_B)]
        collected.grads |= {name: torch.cat([part[name] for part in parts]) for name in plan.by_vmap}
    return {
        name: collected.grads[name].reshape(len(pixels_BCHW), *shape)
        if name in collected.grads
        else pixels_BCHW.new_zeros(len(pixels_BCHW), *shape)  # takes no part in the output
        for name, shape in plan.shapes.items()
    }


def vmap_gradients(
    model: nn.Module, names: Sequence[str], pixels_BCHW: Tensor, labels_B: Tensor
) -> Iterator[tuple[slice, dict[str, Tensor], Tensor]]:
    """Rows, their gradients for the parameters `names`, and 1 - p: torch.func, for any network.

    A few images at a time, as many as keep the gradients small.
    """
    weights = {name: model.get_parameter(name).detach() for name in names}
    step = max(1, VMAP_BYTES // (4 * sum(w.numel() for w in weights.values())))

    def margin(some: dict[str, Tensor], pixels: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.func.functional_call(model, some, (pixels[None],))
        return label_log_odds(logits, label[None])[0], one_minus_p(logits, label[None])[0]

    each = torch.func.vmap(torch.func.grad(margin, has_aux=True), in_dims=(None, 0, 0))
    for start in range(0, len(pixels_BCHW), step):
        rows = slice(start, start + step)
        with evaluating(model):
            grads, left_B = each(weights, pixels_BCHW[rows], labels_B[rows])
        yield rows, {name: grad.detach() for name, grad in grads.items()}, left_B.detach()
