"""How far the weights move: gradients, updates, and what each part of the network gained on an epoch.

The update is measured, not derived from the optimizer's state: a mean of lr / sqrt(v) over Adam's
parameters says how many inputs are dead, not how far the network moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.interface import Classifier

# steps: what lies between is much the same, and norms and copies of all weights are not free
GRADIENT_EVERY, UPDATE_EVERY = 4, 16


class Motion:
    """Running sums over an epoch; every process has the same, since all take the same steps."""

    def __init__(self, model: Classifier) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self._parameters = [p for _, p in named]
        self._parts: dict[str, list[int]] = {}
        for i, part in enumerate(parts_of(model, [name for name, _ in named])):
            self._parts.setdefault(part, []).append(i)
        device = self._parameters[0].device
        # gradient norms and their steps, update norms and theirs; on the device, as the counts
        self._sums_4 = torch.zeros(4, dtype=torch.float64, device=device)
        self._before: list[Tensor] | None = None  # a measured step
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._sums_4.zero_()
        self._start = _copies(self._parameters)

    def before_step(self, step: int) -> None:
        """Called when the gradients are complete and nothing has clipped them."""
        if step % GRADIENT_EVERY == 0:
            gradients = [p.grad for p in self._parameters if p.grad is not None]
            self._add(0, nn.utils.get_total_norm(gradients))
        self._before = _copies(self._parameters) if step % UPDATE_EVERY == 0 else None

    def after_step(self) -> None:
        """Called when the optimizer has moved the weights."""
        if self._before is not None:
            self._add(2, nn.utils.get_total_norm(_differences(self._parameters, self._before)))
            self._before = None

    def _add(self, place: int, norm: Tensor) -> None:
        self._sums_4[place] += norm
        self._sums_4[place + 1] += 1

    def result(self) -> dict[str, Any]:
        """`gradient_norm` and `update_norm`: means over the epoch's measured steps; `parameter_norm`; and
        `moved`: by part, how far it went from where the epoch began, as a share of its norm there.
        """
        gradient, n_steps, update, n_updates = self._sums_4.tolist()
        now = _norms(self._parameters)
        start, way = _norms(self._start), _norms(_differences(self._parameters, self._start))
        return {
            "gradient_norm": gradient / max(1.0, n_steps),
            "update_norm": update / max(1.0, n_updates),
            "parameter_norm": float(torch.linalg.vector_norm(now)),
            "moved": {part: _ratio(way[places], start[places]) for part, places in self._parts.items()},
        }

    def state(self, *, is_epoch_begun: bool) -> dict[str, Any]:
        """At the beginning of an epoch its first weights are the model's: nothing to keep twice."""
        return {"sums": self._sums_4, "start": self._start if is_epoch_begun else None}

    def restore(self, state: dict[str, Any]) -> None:
        """After the model's own weights were restored."""
        device = self._sums_4.device
        self.begin_epoch()
        self._sums_4 = state["sums"].to(device)
        if state["start"] is not None:
            self._start = [value.to(device) for value in state["start"]]


def parts_of(model: Classifier, names: Sequence[str]) -> list[str]:
    """The part of the network that holds each parameter: of `cascade`, else the outermost module's name."""
    try:
        parts = sorted(model.cascade(), key=len, reverse=True)  # the innermost first
    except NotImplementedError:
        parts = []
    return [
        next((part for part in parts if name.startswith(f"{part}.")), name.partition(".")[0])
        for name in names
    ]


@torch.no_grad()
def _copies(parameters: Sequence[Tensor]) -> list[Tensor]:
    return [p.detach().clone() for p in parameters]


@torch.no_grad()
def _differences(after: Sequence[Tensor], before: Sequence[Tensor]) -> list[Tensor]:
    return list(torch._foreach_sub([p.detach() for p in after], list(before)))


@torch.no_grad()
def _norms(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(torch._foreach_norm([t.detach() for t in tensors]))).double()


def _ratio(way: Tensor, start: Tensor) -> float | None:
    """None of what began as zeros."""
    length = float(torch.linalg.vector_norm(start))
    return float(torch.linalg.vector_norm(way)) / length if length > 0 else None
