"""nn.MultiheadAttention, whose projections are no layers: the same computation from two that are.

Shape legend: B images, T tokens, D features, h heads, d features of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from pipeline.attribution.gradients.rules import Names, linear_terms

Tap = Callable[[Tensor, Tensor, Callable[[Tensor, Tensor], Any]], Tensor]


class UnsupportedLayerError(RuntimeError):
    """A layer is used in a way that hooks have no rule for."""


def attention_forward(module: nn.MultiheadAttention, names: Names, tap: Tap) -> Callable[..., Any]:
    """Self-attention without masks, for the time that hooks are set.

    `tap(x, y, terms)` stands behind both projections, as a hook stands behind a layer. The attention
    weights, which networks do not use, are not returned.
    """
    first = {k.removeprefix("in_proj_"): v for k, v in names.items() if k.startswith("in_proj_")}
    last = {k.removeprefix("out_proj."): v for k, v in names.items() if k.startswith("out_proj.")}

    def forward(
        query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, **_: Any,
    ) -> tuple[Tensor, None]:  # fmt: skip
        plain = query is key is value and query.ndim == 3 and module.in_proj_weight is not None
        if not plain or key_padding_mask is not None or attn_mask is not None or module.bias_k is not None:
            raise UnsupportedLayerError("attention other than self-attention without masks")
        if module.add_zero_attn:
            raise UnsupportedLayerError("attention with an added zero")
        x_BTD = query if module.batch_first else query.transpose(0, 1)
        projected = functional.linear(x_BTD, module.in_proj_weight, module.in_proj_bias)
        projected = tap(x_BTD, projected, lambda x, grad: linear_terms(module, first, x, grad))
        q, k, v = (
            part.reshape(*part.shape[:2], module.num_heads, -1).transpose(1, 2)
            for part in projected.chunk(3, dim=2)
        )
        mixed_BTD = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out = functional.linear(mixed_BTD, module.out_proj.weight, module.out_proj.bias)
        out = tap(mixed_BTD, out, lambda x, grad: linear_terms(module, last, x, grad))
        return (out if module.batch_first else out.transpose(0, 1)), None

    return forward
