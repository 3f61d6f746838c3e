"""How the input and the output gradient of a layer make the per-sample gradients of its parameters.

A rule belongs to a `forward` function, so a subclass that overrides `forward` has no rule.

Shape legend: B images, C channels, H height, W width, T positions, O outputs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.attribution.gradients.terms import Direct, Outer, Term, Windows

Names = Mapping[str, str]  # name within the module -> name in the network, trainable parameters only
Rule = Callable[[nn.Module, Names, Tensor, Tensor], Iterator[Term]]


def find_rule(module: nn.Module) -> Rule | None:
    """The rule of a layer, or None where there is none."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
        return None  # statistics of the batch: samples are not separate
    forward = getattr(type(module), "forward", None)
    return _RULES.get(forward) or _timm_rules().get(forward)


def linear_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    """Of y = x Wᵀ + b on vectors or tokens."""
    grads_BTO = out_grad.reshape(len(out_grad), -1, out_grad.shape[-1])
    tokens = x.reshape(len(x), 1, -1, x.shape[-1])
    yield from _linear_terms(names, grads_BTO, tokens)


def _linear_terms(names: Names, grads_BTO: Tensor, tokens_B1TI: Tensor) -> Iterator[Term]:
    if "weight" in names:
        shape = torch.Size([grads_BTO.shape[2], tokens_B1TI.shape[3]])
        one = (1, 1)
        inputs = Windows(tokens_B1TI.to(grads_BTO.dtype), one, one, one, (1, grads_BTO.shape[1]), 1)
        yield Outer(names["weight"], shape, grads_BTO.transpose(1, 2), inputs)
    if "bias" in names:
        yield Direct(names["bias"], _exact_sum(grads_BTO, (1,)))


def _conv_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    assert isinstance(module, nn.Conv2d)
    if "weight" in names:
        x = x.to(out_grad.dtype)
        if isinstance(module.padding, str) or any(module.padding):
            mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
            x = functional.pad(x, module._reversed_padding_repeated_twice, mode)
        inputs = Windows(
            x.permute(0, 2, 3, 1).contiguous(), _pair(module.kernel_size), _pair(module.stride),
            _pair(module.dilation), _pair(out_grad.shape[2:]), module.groups,
        )  # fmt: skip
        yield Outer(names["weight"], module.weight.shape, out_grad.flatten(2), inputs)
    if "bias" in names:
        yield Direct(names["bias"], _exact_sum(out_grad, (2, 3)))


def _batch_norm_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    assert isinstance(module, nn.modules.batchnorm._BatchNorm)
    assert module.running_mean is not None
    assert module.running_var is not None
    grad_BCT = out_grad.flatten(2) if x.ndim > 2 else out_grad[:, :, None]
    if "weight" in names:
        mean_C = module.running_mean.to(grad_BCT.dtype)
        centred_BCT = x.to(grad_BCT.dtype).reshape(grad_BCT.shape) - mean_C[:, None]
        scale_C = (module.running_var + module.eps).rsqrt()
        yield Direct(names["weight"], _exact_sum(centred_BCT.mul_(grad_BCT), (2,)) * scale_C)
    if "bias" in names:
        yield Direct(names["bias"], _exact_sum(grad_BCT, (2,)))


def _group_norm_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    assert isinstance(module, nn.GroupNorm)
    grad = _exact(out_grad)
    places = tuple(range(2, grad.ndim))
    if "weight" in names:
        standard = functional.group_norm(_exact(x), module.num_groups, eps=module.eps)
        yield Direct(names["weight"], _exact_sum(grad * standard, places))
    if "bias" in names:
        yield Direct(names["bias"], _exact_sum(grad, places))


def _layer_norm_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    assert isinstance(module, nn.LayerNorm)
    shape = list(module.normalized_shape)
    grad = _exact(out_grad)
    places = tuple(range(1, grad.ndim - len(shape)))
    if "weight" in names:
        standard = functional.layer_norm(_exact(x), shape, eps=module.eps)
        yield Direct(names["weight"], _exact_sum(grad * standard, places))
    if "bias" in names:
        yield Direct(names["bias"], _exact_sum(grad, places))


def _rms_norm_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    """Of y = x / rms(x) * w over the last axes; where `eps` is None, torch takes that of the input's type."""
    assert isinstance(module.normalized_shape, tuple)
    eps = module.eps if isinstance(module.eps, float) else torch.finfo(x.dtype).eps
    grad, exact = _exact(out_grad), _exact(x)
    places = tuple(range(1, grad.ndim - len(module.normalized_shape)))
    square = exact.square().mean(tuple(range(-len(module.normalized_shape), 0)), keepdim=True)
    yield Direct(names["weight"], _exact_sum(grad * exact * (square + eps).rsqrt(), places))


def _layer_norm_2d_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    """Of a layer normalization over the channels of a map B x C x H x W."""
    yield from _layer_norm_terms(module, names, x.movedim(-3, -1), out_grad.movedim(-3, -1))


def _norm_act_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    """Of batch normalization with an activation behind it: its gradient is taken once more."""
    assert isinstance(module, nn.BatchNorm2d)
    assert callable(module.act)
    assert callable(module.drop)
    with torch.enable_grad():
        y = functional.batch_norm(
            x.to(out_grad.dtype), module.running_mean, module.running_var, module.weight, module.bias,
            eps=module.eps,
        ).requires_grad_()  # fmt: skip
        (grad,) = torch.autograd.grad(module.act(module.drop(y.clone())), y, out_grad)
    yield from _batch_norm_terms(module, names, x, grad)


def _scale_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    """Of y = x * gamma, gamma along the last axis."""
    places = tuple(range(1, x.ndim - 1))
    yield Direct(names["gamma"], _exact_sum(_exact(out_grad) * x, places))


def _scale_2d_terms(module: nn.Module, names: Names, x: Tensor, out_grad: Tensor) -> Iterator[Term]:
    yield from _scale_terms(module, names, x.movedim(-3, -1), out_grad.movedim(-3, -1))


def _exact(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _exact_sum(x: Tensor, places: tuple[int, ...]) -> Tensor:
    """Added up in float32 at least; an empty tuple of places would mean all."""
    return x.sum(places, dtype=torch.promote_types(x.dtype, torch.float32)) if places else x


def _pair(values: tuple[int, ...] | torch.Size) -> tuple[int, int]:
    first, second = values
    return first, second


_RULES: dict[object, Rule] = {
    nn.Linear.forward: linear_terms,
    nn.Conv2d.forward: _conv_terms,
    nn.BatchNorm2d.forward: _batch_norm_terms,  # of 1d and 3d as well: the function is one
    nn.GroupNorm.forward: _group_norm_terms,
    nn.LayerNorm.forward: _layer_norm_terms,
    nn.RMSNorm.forward: _rms_norm_terms,
}


def _timm_rules() -> dict[object, Rule]:
    """Of timm's own kinds of torch's layers; nothing where no network of timm's was made."""
    layers = sys.modules.get("timm.layers")
    if layers is None:
        return {}
    kinds: dict[str, Rule] = {
        "Linear": linear_terms,
        "LayerNorm": _layer_norm_terms,
        "LayerNormFp32": _layer_norm_terms,
        "LayerNorm2d": _layer_norm_2d_terms,
        "LayerNorm2dFp32": _layer_norm_2d_terms,
        "RmsNorm": _rms_norm_terms,
        "GroupNorm": _group_norm_terms,
        "GroupNorm1": _group_norm_terms,
        "BatchNormAct2d": _norm_act_terms,
        "LayerScale": _scale_terms,
        "LayerScale2d": _scale_2d_terms,
    }
    found = {name: getattr(layers, name, None) for name in kinds}  # what other versions lack is left out
    return {kind.forward: kinds[name] for name, kind in found.items() if kind is not None}
