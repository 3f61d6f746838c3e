"""Which parameters get their gradients from hooks, found out once for a network and checked on it.

Whether a layer is used as its rule supposes cannot be read off its type: it may be called by other
means, share its weights or sit in a fused kernel. So hooks and a plain loop are compared on two random
images in float64, and whatever differs is left to torch.func.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from pipeline.attribution.gradients.fallback import gradients_without_hooks, loop_gradients
from pipeline.attribution.gradients.rules import find_rule
from pipeline.attribution.gradients.tape import Tapped, record
from pipeline.attribution.gradients.terms import Outer, Term
from pipeline.core.errors import InputError

PROBES = 2
TOLERANCE = 1e-8  # relative, in float64
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How the gradients of a network's trainable parameters are taken."""

    shapes: dict[str, torch.Size]  # of all trainable parameters, in the network's order
    tapped: tuple[Tapped, ...]
    by_vmap: tuple[str, ...]  # parameters left to torch.func
    is_looped: bool  # it cannot run this network: those parameters one image at a time
    matrices: frozenset[str]  # hooked weights whose gradients are outer products in one group
    memory_format: torch.memory_format
    bytes_per_image: int  # that the float32 forward pass keeps for the backward pass

    @property
    def n_parameters(self) -> int:
        return sum(shape.numel() for shape in self.shapes.values())


def make_plan(model: nn.Module, image_shape: Sequence[int]) -> Plan:
    """Find hooks for the trainable parameters of `model` and check them. `image_shape` is C, H, W.

    Raises:
        InputError: no parameter is trainable.
    """
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    if not names:
        raise InputError("the network has no trainable parameters, so images have no gradients to compare")
    shapes = {name: p.shape for name, p in model.named_parameters() if p.requires_grad}
    tapped = find_layers(model, names)
    twin = copy.deepcopy(model).double()
    pixels, labels = _probe_images(twin, image_shape)
    expected = loop_gradients(twin, pixels, labels)
    collected, tried, memory_format, size = _first_that_runs(twin, tapped, pixels, labels)
    good = {name for name in shapes if _agree(collected.grads.get(name), expected[name])}
    kept: list[Tapped] = []
    for layer in tried:  # others' gradients may be zero on these images, which no hook has shown
        names_kept = {local: name for local, name in layer.names.items() if name in good}
        if names_kept:
            kept.append(Tapped(layer.module, names_kept, layer.rule))
    by_vmap = tuple(name for name in shapes if name not in {n for k in kept for n in k.names.values()})
    why = _why_no_vmap(twin, by_vmap, pixels, labels) if by_vmap else ""
    _say(by_vmap, model, why)
    matrices = frozenset(collected.matrices) & good
    return Plan(shapes, tuple(kept), by_vmap, bool(why), matrices, memory_format, size)


def find_layers(model: nn.Module, names: dict[int, str]) -> list[Tapped]:
    """The modules that have parameters in `names` (by identity), with a rule for each."""
    found: list[Tapped] = []
    covered: set[str] = set()
    for path, module in model.named_modules():
        if path in covered:
            continue
        attention = isinstance(module, nn.MultiheadAttention)
        own = {k: names[id(p)] for k, p in module.named_parameters(recurse=attention) if id(p) in names}
        if attention:
            covered.add(f"{path}.out_proj" if path else "out_proj")
        if own:
            found.append(Tapped(path, own, find_rule(module)))
    return found


class Exact:
    """Collects per-sample gradients as they are."""

    def __init__(self) -> None:
        self.grads: dict[str, Tensor] = {}
        self.matrices: set[str] = set()

    def __call__(self, term: Term) -> None:
        if isinstance(term, Outer):
            grads = term.as_parameter(term.gradients(slice(None)))
            if term.inputs.groups == 1:
                self.matrices.add(term.name)
        else:
            grads = term.grads
        before = self.grads.get(term.name)
        self.grads[term.name] = grads if before is None else before + grads


def _probe_images(model: nn.Module, image_shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    place = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(PROBES, *image_shape, generator=generator, dtype=torch.float64).to(place)
    return pixels, (torch.arange(PROBES) % 2).to(place)


def _first_that_runs(
    model: nn.Module, tapped: Sequence[Tapped], pixels: Tensor, labels: Tensor
) -> tuple[Exact, Sequence[Tapped], torch.memory_format, int]:
    """Gradients of the probe images from as many hooks as the network bears, and those hooks."""
    plain = [layer for layer in tapped if layer.rule is not None]
    attempts = [
        (tapped, torch.channels_last),
        (tapped, torch.contiguous_format),
        (
            [layer for layer in map(partial(_without_vectors, model), tapped) if layer.names],
            torch.channels_last,
        ),
        (plain, torch.channels_last),
    ]
    for layers, memory_format in attempts:
        try:
            collected, size = _probe(model, layers, pixels.contiguous(memory_format=memory_format), labels)
        except Exception as reason:  # any: the network is a stranger's, and a plain loop went through it
            _log.debug("attribution: these hooks do not fit this network (%s)", reason)
        else:
            return collected, layers, memory_format, size
    return Exact(), [], torch.contiguous_format, 0


def _without_vectors(model: nn.Module, layer: Tapped) -> Tapped:
    """Of parameters that a module uses by itself, those with room for the images: tokens, positions."""
    if layer.rule is not None or isinstance(model.get_submodule(layer.module), nn.MultiheadAttention):
        return layer
    roomy = {k: name for k, name in layer.names.items() if model.get_parameter(name).shape[:1] == (1,)}
    return Tapped(layer.module, roomy, None)


def _probe(model: nn.Module, tapped: Sequence[Tapped], pixels: Tensor, labels: Tensor) -> tuple[Exact, int]:
    """Hooked gradients, and the bytes that a float32 pass keeps for one image."""
    kept: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return x

    collected = Exact()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        record(model, tapped, pixels, labels, collected)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    return collected, sum(n for place, n in kept.items() if place not in weights) // (2 * PROBES)


def _agree(hooked: Tensor | None, expected: Tensor) -> bool:
    if hooked is None:
        return not bool(expected.any())
    if hooked.numel() != expected.numel():
        return False
    return float((hooked.reshape(expected.shape) - expected).norm()) <= TOLERANCE * float(expected.norm())


def _why_no_vmap(model: nn.Module, names: Sequence[str], pixels: Tensor, labels: Tensor) -> str:
    """What torch.func says of this network; nothing where it runs."""
    try:
        for _ in gradients_without_hooks(model, names, pixels, labels, is_looped=False):
            pass
    except torch.OutOfMemoryError:
        raise
    except Exception as reason:  # any: the network is a stranger's, and a plain loop went through it
        return str(reason).strip().partition("\n")[0] or type(reason).__name__
    return ""


def _say(by_vmap: Sequence[str], model: nn.Module, why_no_vmap: str) -> None:
    if not by_vmap:
        return
    modules = sorted({name.rpartition(".")[0] for name in by_vmap})
    kinds = [f"{path or 'the network'} ({type(model.get_submodule(path)).__name__})" for path in modules]
    way = "one image at a time" if why_no_vmap else "by torch.func.vmap"
    because = f": torch.func.vmap cannot run this network ({why_no_vmap})" if why_no_vmap else ""
    _log.info("attribution: gradients %s, which is slow, for %s%s", way, ", ".join(kinds), because)
