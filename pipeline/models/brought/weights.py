"""Weights that somebody else saved: read without running anything, and laid into a network or refused."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.core.words import list_some

NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")  # where checkpoints keep tensors


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from safetensors or a checkpoint that holds nothing but tensors and plain values.

    Raises:
        InputError: there is no such file, it is damaged, it would run code, or it holds no tensors.
    """
    if not path.is_file():
        raise InputError(f"weights {path} do not exist. Write the path of a file of weights under `weights`.")
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{path} is not a whole safetensors file ({error}). Save it again.") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        OSError,
        KeyError,
        AttributeError,
    ) as error:
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


def lay_in(net: nn.Module, state: Mapping[str, Tensor], path: Path) -> list[str]:
    """Load weights into a network, all of them and no others.

    Returns:
        what was converted, in words.

    Raises:
        InputError: tensors are missing, too many, of another shape, or not finite.
    """
    own, notes = net.state_dict(), []
    prefix = _prefix(state, own)
    if prefix:
        notes.append(f"names in {path.name} were read without `{prefix}` in front")
    given = {name.removeprefix(prefix): value for name, value in state.items()}
    # counters that nothing is computed from; old files lack them
    missing = [n for n in own if n not in given and not n.endswith("num_batches_tracked")]
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
    broken = [n for n, value in given.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{path}: {len(broken)} tensors hold NaN or infinity ({list_some(broken, 3)}), so that no "
            "prediction means anything. Take weights of an earlier epoch."
        )
    halves = {str(v.dtype).removeprefix("torch.") for v in given.values() if v.is_floating_point()} - {
        "float32"
    }
    if halves:
        notes.append(f"weights in {', '.join(sorted(halves))} are computed with in float32")
    net.load_state_dict(given, strict=False)
    return notes


def check_finite(net: nn.Module, where: str) -> None:
    """Refuse a network whose own weights are broken.

    Raises:
        InputError: names the tensors.
    """
    broken = [n for n, v in net.state_dict().items() if v.is_floating_point() and not v.isfinite().all()]
    if broken:
        raise InputError(
            f"{where}: {len(broken)} tensors hold NaN or infinity ({list_some(broken, 3)}), so that no "
            "prediction means anything. Take weights of an earlier epoch."
        )


def _tensors(found: object) -> dict[str, Tensor]:
    """The largest mapping of names to tensors: the checkpoint itself, or what it keeps under a usual name."""
    if not isinstance(found, Mapping):
        return {}
    for key in NESTED:
        if isinstance(found.get(key), Mapping):
            inside = _tensors(found[key])
            if inside:
                return inside
    return {str(k): v for k, v in found.items() if isinstance(v, Tensor)}


def _prefix(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """What a wrapper (DataParallel, Lightning, compile) put in front of every name; empty where they fit."""
    if not own or set(state) & set(own):
        return ""
    first = next(iter(own))
    ends = [name.removesuffix(first) for name in state if name.endswith(f".{first}")]
    return ends[0] if ends and all(name.startswith(ends[0]) for name in state) else ""


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"


def _reason(error: Exception) -> str:
    line = next(
        (part.strip() for part in str(error).splitlines() if "GLOBAL" in part or "Unsupported" in part), ""
    )
    return (line or str(error).partition("\n")[0] or type(error).__name__)[:200].rstrip(".")
