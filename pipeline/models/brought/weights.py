"""Weights that somebody else saved: read without running anything, and laid into a network or refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.models.brought.sources import shards

COUNTER = "num_batches_tracked"  # nothing is computed from it; old files lack it
WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.")
NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")  # where checkpoints keep tensors
_DEEPEST = 4  # a checkpoint may hold itself


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from safetensors or a checkpoint that holds nothing but tensors and plain values.

    An index gives those of all files that it names.

    Raises:
        InputError: there is no such file, it is damaged, it would run code, or it holds no tensors.
    """
    if not path.is_file():
        raise InputError(f"weights {path} do not exist. Write the path of a file of weights under `weights`.")
    if parts := shards(path):
        if absent := [part.name for part in parts if not part.is_file()]:
            raise InputError(f"{path} names {list_some(absent, 3)}, which is not beside it. Save all files.")
        return {name: value for part in parts for name, value in read_weights(part).items()}
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except Exception as error:  # whatever a file that somebody else wrote may raise
            raise InputError(f"{path} is not a whole safetensors file ({error}). Save it again.") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a file that somebody else wrote may raise
        raise InputError(
            f"{path} cannot be read as weights alone, and nothing in it was run: {_reason(error)}. Save the "
            "tensors where you trust the file: `safetensors.torch.save_file(model.state_dict(), "
            "'model.safetensors')`."
        ) from None
    tensors = _tensors(found)
    if not tensors:
        raise InputError(
            f"{path} holds no tensors by name ({type(found).__name__}). Save `model.state_dict()`, not the "
            "model."
        )
    return tensors


def unwrapped(state: Mapping[str, Tensor], net: nn.Module, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Weights by names without what a wrapper (DataParallel, Lightning, compile) put in front of each.

    Returns:
        them, and what was done and will be converted, in words.

    Raises:
        InputError: they are quantized.
    """
    own = net.state_dict()
    prefix = _prefix(state, own)
    notes = [f"names in {path.name} were read without `{prefix}` in front"] if prefix else []
    given = {name.removeprefix(prefix): value for name, value in state.items()}
    whole = [n for n in given if n in own and own[n].is_floating_point() and not given[n].is_floating_point()]
    if whole:
        raise InputError(
            f"{path}: {len(whole)} tensors hold {_kind(given[whole[0]])} numbers ({list_some(whole, 3)}), as "
            "quantized weights do. Save the model in float32, or float16."
        )
    others = {_kind(value) for value in given.values() if value.is_floating_point()} - {"float32"}
    if others:
        notes.append(f"weights in {', '.join(sorted(others))} are computed with in float32")
    return given, notes


def lay_in(net: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a network, all of them and no others.

    Raises:
        InputError: tensors are missing, too many, of another shape, or not finite.
    """
    own, given = net.state_dict(), dict(state)
    missing = [n for n in own if n not in given and not n.endswith(COUNTER)]
    extra = [name for name in given if name not in own]
    shapes = [
        f"{name} is {_shape(given[name])} and not {_shape(own[name])}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    if missing or extra or shapes:
        wrong = [
            f"{len(missing)} are missing ({list_some(missing, 3)})" if missing else "",
            f"{len(extra)} belong to no part of it ({list_some(extra, 3)})" if extra else "",
            f"{len(shapes)} have another shape ({list_some(shapes, 3)})" if shapes else "",
        ]
        raise InputError(
            f"{path} has the weights of another network than {type(net).__name__}: of its {len(own)} "
            f"tensors {'; '.join(filter(None, wrong))}. Give the weights of this network, or the network of "
            "these weights."
        )
    broken = [
        n for n, value in given.items() if value.is_floating_point() and not value.float().isfinite().all()
    ]
    if broken:
        raise InputError(
            f"{path}: {len(broken)} tensors hold NaN or infinity ({list_some(broken, 3)}), so that no "
            "prediction means anything. Take weights of an earlier epoch."
        )
    net.load_state_dict(given, strict=False)


def without_other_head(
    net: nn.Module, state: Mapping[str, Tensor], n_outputs: int
) -> tuple[dict[str, Tensor], list[str]]:
    """Weights whose head is for another number of classes with the network's own head instead.

    Returns:
        them, and the names of what was exchanged: empty where all have the network's shapes, or where
        more than a head has others.
    """
    own = net.state_dict()
    other = [name for name in own if name in state and state[name].shape != own[name].shape]
    counts = {tuple(state[name].shape[:1]) for name in other}
    are_heads = all(
        own[name].shape[:1] == (n_outputs,) and state[name].shape[1:] == own[name].shape[1:] for name in other
    )
    if len(counts) != 1 or not are_heads:
        return dict(state), []
    return {**state, **{name: own[name] for name in other}}, other


def check_finite(net: nn.Module, where: str) -> None:
    """Refuse a network whose own weights are broken.

    Raises:
        InputError: names the tensors.
    """
    broken = [
        n for n, v in net.state_dict().items() if v.is_floating_point() and not v.float().isfinite().all()
    ]
    if broken:
        raise InputError(
            f"{where}: {len(broken)} tensors hold NaN or infinity ({list_some(broken, 3)}), so that no "
            "prediction means anything. Take weights of an earlier epoch."
        )


def _tensors(found: object, depth: int = 0) -> dict[str, Tensor]:
    """The largest mapping of names to tensors: the checkpoint itself, or what it keeps under a usual name."""
    if not isinstance(found, Mapping) or depth > _DEEPEST:
        return {}
    for key in NESTED:
        if isinstance(found.get(key), Mapping):
            inside = _tensors(found[key], depth + 1)
            if inside:
                return inside
    return {str(k): v for k, v in found.items() if isinstance(v, Tensor)}


def _prefix(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """What stands in front of the name of every tensor of the network; empty where names fit as they are.

    A library's older names are unlike the network's: then what wrappers usually put there.
    """
    if not own or set(state) & set(own):
        return ""
    needed = [name for name in own if not name.endswith(COUNTER)]
    for end in (name.removesuffix(needed[0]) for name in state if name.endswith(f".{needed[0]}")):
        if all(f"{end}{name}" in state for name in needed):
            return end
    prefix, names = "", set(state)
    while found := next((w for w in WRAPPERS if names and all(n.startswith(prefix + w) for n in names)), ""):
        prefix += found
    return prefix if not all(name.startswith(prefix) for name in own) else ""


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"


def _reason(error: Exception) -> str:
    line = next(
        (part.strip() for part in str(error).splitlines() if "GLOBAL" in part or "Unsupported" in part), ""
    )
    return (line or str(error).partition("\n")[0] or type(error).__name__)[:200].rstrip(".")
