"""One forward and one backward pass of a batch, with what every layer saw and what came back to it.

Shape legend: B images, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.attribution.gradients.attention import UnsupportedLayerError, attention_forward
from pipeline.attribution.gradients.log_odds import label_log_odds
from pipeline.attribution.gradients.rules import Names, Rule
from pipeline.attribution.gradients.terms import Direct, Term
from pipeline.models.as_found import evaluating


@dataclass(frozen=True)
class Tapped:
    """A module whose parameters' gradients come from hooks; the module is found by its name."""

    module: str
    names: Names
    rule: Rule | None  # None: an attention layer, or parameters that the module uses by itself


def record(
    model: nn.Module,
    tapped: Iterable[Tapped],
    pixels_BCHW: Tensor,
    labels_B: Tensor,
    receive: Callable[[Term], None],
    *,
    half: bool = False,
) -> Tensor:
    """Pass every term of the per-sample gradients to `receive`, last layer first; B x K logits come back.

    A term is handed over as soon as its layer's output gradient is there, and what the layer saw is
    let go then. Parameters themselves take part in no graph: PyTorch would sum their gradients over
    the batch, a third of the work for nothing.

    Raises:
        UnsupportedLayerError: a layer is used in a way that has no rule.
    """
    with evaluating(model), torch.enable_grad(), ExitStack() as stack:
        tape = _Tape(model, receive, len(pixels_BCHW), pixels_BCHW)
        stack.callback(tape.restore)
        for layer in tapped:
            tape.attach(layer)
        with torch.autocast(pixels_BCHW.device.type, torch.bfloat16, enabled=half):
            logits_BK = model(pixels_BCHW)
        logits_BK = logits_BK if logits_BK.dtype == torch.float64 else logits_BK.float()
        if not logits_BK.requires_grad:
            raise UnsupportedLayerError("no hooked layer takes part in the output")
        sources = [tape.anchor, *tape.sources]
        found = torch.autograd.grad(label_log_odds(logits_BK, labels_B).sum(), sources, allow_unused=True)
        for name, grad in zip(tape.source_names, found[1:], strict=True):
            if grad is not None:
                receive(Direct(name, grad))
    logits: Tensor = logits_BK.detach()
    return logits


class _StartGraph(torch.autograd.Function):
    """The same tensor, as the first of the graph: layers before it get no gradient."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, anchor: Tensor) -> Tensor:
        ctx.mark_dirty(output)  # not a copy, and in-place layers may follow
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None]:
        return None, None


class _Tape:
    """The hooks of one pass, and how to take them off."""

    def __init__(self, model: nn.Module, receive: Callable[[Term], None], batch: int, like: Tensor) -> None:
        self.model = model
        self.receive = receive
        self.batch = batch
        self.anchor = torch.zeros((), device=like.device, dtype=like.dtype, requires_grad=True)
        self.sources: list[Tensor] = []
        self.source_names: list[str] = []
        self._undo: list[Callable[[], object]] = []

    def attach(self, layer: Tapped) -> None:
        module = self.model.get_submodule(layer.module)
        if layer.rule is not None:
            self._undo.append(module.register_forward_hook(self._hook(layer)).remove)
        elif isinstance(module, nn.MultiheadAttention):
            module.forward = attention_forward(module, layer.names, self.tap)  # type: ignore[method-assign]
            self._undo.append(lambda: module.__dict__.pop("forward"))
        else:
            for local, name in layer.names.items():
                self._spread(module, local, name)

    def restore(self) -> None:
        for undo in reversed(self._undo):
            undo()

    def tap(self, x: Tensor, y: Tensor, terms: Callable[[Tensor, Tensor], Iterable[Term]]) -> Tensor:
        """Have the terms of a layer made when the gradient of its output `y` is known."""
        held = [x.detach()]
        version = x._version

        def on_gradient(grad: Tensor) -> None:
            with torch.no_grad():
                seen = held.pop()
                if seen._version != version:
                    raise UnsupportedLayerError("a layer's input is changed in place")
                for term in terms(self._by_image(seen), self._by_image(grad)):
                    self.receive(term)

        if not y.requires_grad:
            y = y.clone() if y._is_view() else y  # autograd refuses views here
            y = _StartGraph.apply(y, self.anchor)
        y.register_hook(on_gradient)
        return y

    def _hook(self, layer: Tapped) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        rule = layer.rule
        assert rule is not None

        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return self.tap(inputs[0], output, lambda x, grad: rule(module, layer.names, x, grad))

        return hook

    def _by_image(self, x: Tensor) -> Tensor:
        """Windows of an image that stand in the batch's place, as in Swin, become its positions."""
        if len(x) == self.batch:
            return x
        if len(x) % self.batch or x.ndim < 2:
            raise UnsupportedLayerError(f"a layer saw {len(x)} rows for {self.batch} images")
        positions: Tensor = x.unflatten(0, (self.batch, -1))
        return positions

    def _spread(self, module: nn.Module, local: str, name: str) -> None:
        """One copy of a parameter for every image, as a class token or a position embedding is used."""
        parameter = module._parameters[local]
        assert parameter is not None
        one = parameter.detach() if parameter.shape[:1] == (1,) else parameter.detach()[None]
        copies = one.expand(self.batch, *one.shape[1:]).clone().requires_grad_()
        module._parameters[local] = copies  # type: ignore[assignment]
        self._undo.append(lambda: module._parameters.__setitem__(local, parameter))
        self.sources.append(copies)
        self.source_names.append(name)
