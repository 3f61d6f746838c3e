"""What a network that was written elsewhere is made of: its last layer, and its maps of cells.

Names differ from library to library, so nothing is read off them: one image runs through the network, and
what its modules then do decides.

Shape legend: N images, T tokens, D features, C channels, H height, W width, h w cells of a map, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pipeline.core.errors import InputError

Layout = Literal["NCHW", "NHWC", "NTD"]


def unwrap(output: Any) -> Tensor:
    """The logits of what a network returns: a tensor, an object or mapping with `logits`, or a tuple.

    Raises:
        InputError: there is no tensor N x K in it.
    """
    if isinstance(output, Tensor):
        return output
    inside = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if inside is None and isinstance(output, tuple | list):
        inside = next((part for part in output if isinstance(part, Tensor)), None)
    if isinstance(inside, Tensor):
        return inside
    raise InputError(
        f"the network returns {type(output).__name__}, in which there are no logits. It must return a tensor "
        "images x classes, or an object or dictionary that has one as `logits`."
    )


@dataclass(frozen=True)
class _Call:
    """What one module did with the image; calls are in the order in which they ended."""

    name: str
    module: nn.Module
    given: Tensor | None
    output: Tensor

    @property
    def depth(self) -> int:
        return self.name.count(".")


def find_head(net: nn.Module, pixels_1CHW: Tensor) -> str | None:
    """The name of the linear layer whose output are the logits; None where they are made in another way."""
    with torch.no_grad(), _recording(net) as calls:
        logits = unwrap(net(pixels_1CHW))
    linear = [c for c in calls if isinstance(c.module, nn.Linear) and c.given is not None]
    heads = [c for c in linear if c.output is logits or _same(c.output, logits)]
    if not heads or heads[-1].given is None or heads[-1].given.ndim != 2:
        return None
    name = heads[-1].name
    return name if [c.name for c in linear].count(name) == 1 else None


def find_maps(net: nn.Module, pixels_1CHW: Tensor) -> tuple[list[str], dict[tuple[int, ...], Layout]]:
    """Modules whose output is a map that the result depends on, first to last, and how such outputs lie.

    Of a convolutional network, those that its image passes one after the other. Of a transformer, the blocks
    behind which the patches still count: where a class token decides, the last of them is the one before
    the last attention. Not the normalizations between them: a token's length is gone there, and with it what
    tells one that says something from the rest (decision 047).

    Returns:
        names, and the layout of an output by its shape without the images.
    """
    with torch.enable_grad(), _recording(net) as calls:
        out = unwrap(net(pixels_1CHW.requires_grad_()))
        if not out.requires_grad:  # its forward lets no gradient through
            return [], {}
        # not the plain sum: that of a layer normalization does not depend on what it is given
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(0), dtype=out.dtype)
        found = [c for c in calls if c.output.requires_grad and c.output.is_floating_point()]
        grads = torch.autograd.grad((out * weights).sum(), [c.output for c in found], allow_unused=True)
    counting = {id(c): g for c, g in zip(found, grads, strict=True) if g is not None}
    order = {id(c): i for i, c in enumerate(calls)}
    layouts = {tuple(c.output.shape[1:]): layout for c in found if (layout := _layout_of(c)) is not None}
    norms = [c for c in found if id(c) in counting and _patches_count(c, counting[id(c)])]
    convolved = [c for c in found if id(c) in counting and _layout_of(c) == "NCHW"]
    is_tokens = bool(norms) and (not convolved or order[id(norms[-1])] > order[id(convolved[-1])])
    last = next((c for c in reversed(found) if id(c) in counting and _is_grid(c)), None)
    if not is_tokens:
        return [c.name for c in _chain(calls, last)], layouts
    blocks = [
        b for b in _blocks(calls, layouts) if id(b) in counting and _any_patch(b, counting[id(b)], layouts)
    ]
    return [c.name for c in (blocks or norms)], layouts


def as_map(output: Tensor, layout: Layout | None) -> Tensor:
    """An output as a map N x C x h x w; what is no map comes back as it is."""
    if layout == "NHWC":
        return output.permute(0, 3, 1, 2)
    if layout == "NTD":
        side = math.isqrt(output.shape[1])
        first = output.shape[1] - side * side
        tokens: Tensor = output[:, first:].transpose(1, 2).unflatten(2, (side, side))
        return tokens
    return output


@contextmanager
def _recording(net: nn.Module) -> Iterator[list[_Call]]:
    """Everything that modules return while this lasts."""
    calls: list[_Call] = []

    def note(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            given = next((x for x in inputs if isinstance(x, Tensor)), None)
            calls.append(_Call(name, module, given, output))

    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: note(name, m, i, o))
        for name, module in net.named_modules()
        if name
    ]
    was_training = net.training
    try:
        net.eval()
        yield calls
    finally:
        for hook in hooks:
            hook.remove()
        net.train(was_training)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one, other)) and bool(one.any())


def _layout_of(call: _Call) -> Layout | None:
    """How a map lies in an output; None where it is none."""
    shape = call.output.shape
    if len(shape) == 3:
        return "NTD" if _normalizes(call.module, shape[2]) and shape[1] >= 4 else None
    if len(shape) != 4:
        return None
    _, second, third, last = shape
    is_last_norm = _normalizes(call.module, last)
    if is_last_norm and second == third and second > 1 and second != last:
        return "NHWC"
    return "NCHW" if third == last and last > 1 and not is_last_norm else None


def _normalizes(module: nn.Module, n: int) -> bool:
    """Whether it is a layer normalization over n features, or one by the root of their mean square."""
    shape = getattr(module, "normalized_shape", None)
    return isinstance(shape, tuple) and shape == (n,)


def _patches_count(call: _Call, grad: Tensor) -> bool:
    """Whether it is a layer normalization of tokens, and the result depends on those that are patches."""
    layout = _layout_of(call)
    return layout in ("NTD", "NHWC") and bool((as_map(grad, layout) != 0).any())


def _any_patch(call: _Call, grad: Tensor, layouts: Mapping[tuple[int, ...], Layout]) -> bool:
    return bool((as_map(grad, layouts[tuple(call.output.shape[1:])]) != 0).any())


def _blocks(calls: list[_Call], layouts: Mapping[tuple[int, ...], Layout]) -> list[_Call]:
    """Modules, with a normalization inside, whose tokens another normalization is given: first to last."""
    found: dict[str, _Call] = {}
    norms = [c for c in calls if _layout_of(c) in ("NTD", "NHWC")]
    for norm in norms:
        call = None if norm.given is None else _maker(calls, norm.given)
        is_stream = call is not None and any(c.name.startswith(f"{call.name}.") for c in norms)
        if call is not None and is_stream and tuple(call.output.shape[1:]) in layouts:
            found[call.name] = call
    return list(found.values())


def _is_grid(call: _Call) -> bool:
    """Whether it is a map or, of a small image, the one cell that is left of a map."""
    return _layout_of(call) == "NCHW" or call.output.shape[2:] == (1, 1)


def _chain(calls: list[_Call], last: _Call | None) -> list[_Call]:
    """The modules that the image passes one after the other, as coarse as they are no mere sequence.

    `last` may have one cell: the last with more may lie inside a branch that others go around.
    """
    chain: list[_Call] = []
    call = None if last is None else _maker(calls, last.output)
    while call is not None:
        if _layout_of(call) == "NCHW":
            chain.insert(0, call)
        before = None if call.given is None else _maker(calls, call.given)
        call = before or _sibling_before(calls, call)
    return chain


def _maker(calls: list[_Call], tensor: Tensor) -> _Call | None:
    """The outermost module that made this very tensor, unless it only strings others together."""
    made = [c for c in calls if c.output is tensor and c.given is not tensor]
    plain = [c for c in made if not isinstance(c.module, nn.Sequential)]
    return min(plain or made, key=lambda c: c.depth, default=None)


def _sibling_before(calls: list[_Call], call: _Call) -> _Call | None:
    """Where a function stands between two modules of one parent: the one before."""
    parent = call.name.rpartition(".")[0]
    at = next(i for i, c in enumerate(calls) if c is call)
    siblings = [c for c in calls[:at] if c.name.rpartition(".")[0] == parent and c.name != call.name]
    return siblings[-1] if siblings else None
