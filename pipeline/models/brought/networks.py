"""Networks that somebody else saved, opened as what they are: timm's folders, Hugging Face's, or a function.

Each opener gives the network without its weights, which `weights` lays in, and what was saved with it.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.models.adapted import Door
from pipeline.models.brought.doors import overridden, processor_door, three_channels, timm_door
from pipeline.models.brought.processors import check_door, quiet
from pipeline.models.brought.sources import (
    CONFIG,
    PROCESSOR,
    python_file,
    read_config,
    read_json,
    weights_beside,
    working_folder_first,
)
from pipeline.models.brought.weights import COUNTER
from pipeline.settings.models import HuggingfaceModel, NetworkModel, PythonModel, TimmModel
from pipeline.settings.parsing import did_you_mean

LABELS = ("label_names", "labels")  # of timm's folders, the second in old ones


@dataclass(frozen=True)
class Opened:
    """A network as it was saved, its weights not yet laid in."""

    net: nn.Module
    made_of: dict[str, Any]  # what `rebuild` makes it of again, beside its weights
    door: Door
    outputs: Sequence[str] | None = None  # names of its outputs
    weights: Sequence[Path] = ()  # that lie beside it
    # names of saved tensors as the network has them now: libraries rename theirs
    renamed: Callable[[dict[str, Tensor], Path], dict[str, Tensor]] = lambda state, _: state
    notes: list[str] = field(default_factory=list)


def open_network(entry: NetworkModel, where: str) -> Opened:
    """The network of an entry of `models`, with the preprocessing that it was made with.

    Args:
        where: the entry, for messages: `models.my_net`.

    Raises:
        InputError: nothing is there, it is not what the entry says, or the network cannot be built.
    """
    match entry:
        case TimmModel():
            return _open_timm(read_config(entry.path, f"{where}.path"), entry, where)
        case HuggingfaceModel():
            return _open_huggingface(read_config(entry.path, f"{where}.path"), entry, where)
        case PythonModel():
            return _open_python(entry, where)
        case _:
            raise InputError(f"{where}: kind {type(entry).__name__} has no network.")


def rebuild(made_of: Mapping[str, Any], where: str) -> nn.Module:
    """The network of `Opened.made_of` again, without its weights.

    Raises:
        InputError: a function's file is another one since.
    """
    kind = made_of["kind"]
    if kind == "timm":
        return _create_timm(made_of["config"], where)
    if kind == "huggingface":
        return _create_huggingface(made_of["config"], where)
    if _digest(made_of["path"]) != made_of["digest"]:  # before it is called
        raise InputError(f"{where} was changed since its weights were read. Run `dvc repro`.")
    return _call(made_of["path"], made_of["args"], where)


# --- timm -------------------------------------------------------------------------------------------


def _open_timm(config: dict[str, Any], entry: TimmModel, where: str) -> Opened:
    folder = Path(entry.path)
    if "architecture" not in config:
        is_other = "model_type" in config
        raise InputError(
            f"{where}: {folder / CONFIG} names no `architecture`, so it is no folder of timm's"
            + (". It is one of Hugging Face's: write `kind: huggingface`." if is_other else ".")
        )
    own: dict[str, Any] = {k: config[k] for k in ("architecture", "num_classes", "model_args") if k in config}
    net = _create_timm(own, where)
    # old folders have no such part: all of it lies beside the architecture
    told = config.get("pretrained_cfg", {k: v for k, v in config.items() if k not in own})
    if not isinstance(told, Mapping):
        raise InputError(f"{where}: pretrained_cfg of {folder / CONFIG} is no mapping. Save the model again.")
    saved = {**getattr(net, "pretrained_cfg", {}), **told}
    three_channels((own.get("model_args") or {}).get("in_chans", 3), where)
    labels = next((found for key in LABELS for found in (config.get(key), told.get(key)) if found), None)
    n_outputs = getattr(net, "num_classes", None)
    return Opened(
        net,
        {"kind": "timm", "config": own},
        timm_door(saved, entry, where),
        _names(labels, n_outputs, f"{where}: {folder / CONFIG}"),
        _beside(folder),
        partial(_as_timm_names, net),
    )


def _as_timm_names(net: nn.Module, state: dict[str, Tensor], _: Path) -> dict[str, Tensor]:
    """Tensors under the names of this version of timm, by its own rules, where they are those of another."""
    rename = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    if rename is None or set(state) == set(net.state_dict()):
        return state
    try:
        renamed: dict[str, Tensor] = rename(dict(state), net)
    except Exception:  # whatever it may raise for names that it does not know: they are told of as they are
        return state
    return renamed if set(renamed) == set(net.state_dict()) else state


def _names(labels: Any, n_outputs: int | None, where: str) -> list[str] | None:
    """Names of outputs, from a list or from a mapping of their places; those without one are empty.

    Raises:
        InputError: it is neither, or names places that there are not.
    """
    if not labels:
        return None
    if isinstance(labels, list | tuple):
        return [str(name) for name in labels]
    try:
        by_place = {int(place): str(name) for place, name in labels.items()}
    except (AttributeError, TypeError, ValueError):
        raise InputError(
            f"{where} has names of classes that are neither a list nor a mapping of places to names. Save "
            "the model again."
        ) from None
    n_outputs = len(by_place) if n_outputs is None else n_outputs
    outside = [place for place in by_place if not 0 <= place < n_outputs]
    if outside:
        raise InputError(
            f"{where} names output {outside[0]}, and the network's outputs are 0 to {n_outputs - 1}. Mend "
            "its names of classes there."
        )
    return [by_place.get(place, "") for place in range(n_outputs)]


def _create_timm(config: Mapping[str, Any], where: str) -> nn.Module:
    import timm

    from pipeline.models.timm_zoo import check_args

    name, args = str(config["architecture"]), config.get("model_args") or {}
    if not isinstance(args, Mapping):
        raise InputError(f"{where}: model_args of {CONFIG} is no mapping. Save the model again.")
    args = dict(args)
    check_args(args, f"{where}: model_args of {CONFIG}")
    if "num_classes" in config:
        args["num_classes"] = config["num_classes"]
    if not timm.is_model(name):
        near = did_you_mean(name, timm.list_models()) or "."
        raise InputError(f"{where}: architecture {name!r} is not one of timm {timm.__version__}'s{near}")
    try:
        net: nn.Module = timm.create_model(name, pretrained=False, **args)
    except Exception as error:  # whatever it may raise for what somebody else wrote into a file
        raise InputError(f"{where}: timm cannot build {name} with {args}: {_line(error)}.") from None
    return net


# --- Hugging Face -----------------------------------------------------------------------------------


def _open_huggingface(config: dict[str, Any], entry: HuggingfaceModel, where: str) -> Opened:
    folder = Path(entry.path)
    if "model_type" not in config:
        is_timm = "architecture" in config
        raise InputError(
            f"{where}: {folder / CONFIG} names no `model_type`, so no image classifier of Hugging Face's"
            + (". It is a folder of timm's: write `kind: timm`." if is_timm else ".")
        )
    if config["model_type"] == "timm_wrapper":
        raise InputError(f"{where}: {folder} wraps a network of timm's. Write `kind: timm`.")
    three_channels(config.get("num_channels", 3), where)
    names = _names(config.get("id2label"), None, f"{where}: {folder / CONFIG}")
    net = _create_huggingface(config, where)
    path = folder / PROCESSOR
    saved = read_json(path) if path.is_file() else None
    door, notes = processor_door(folder, saved, config.get("image_size"), entry, where)
    is_whole = saved is not None and saved.get("do_resize", True)
    if is_whole and overridden(Door(), entry) == Door():
        notes += check_door(folder, door)
    made_of = {"kind": "huggingface", "config": config}
    return Opened(
        net, made_of, door, names, _beside(folder), partial(_rename, type(net), config, where), notes
    )


def _rename(
    kind: Any, config: Mapping[str, Any], where: str, state: dict[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Tensors under the names of this version of transformers, by its own rules.

    Raises:
        InputError: some are missing or too many. Of those of another shape only the shape is given back.
    """
    with quiet():
        try:
            net, info = kind.from_pretrained(
                None,
                config=_config_of(config, where),
                state_dict=state,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype="float32",
            )
        except InputError:
            raise
        except Exception as error:  # whatever it may raise for what somebody else saved
            raise InputError(
                f"{path}: transformers cannot read these weights into {kind.__name__}: {_line(error)}. Give "
                "the weights of this network, or the folder of these weights."
            ) from None
    missing = [key for key in map(_key, info["missing_keys"]) if not key.endswith(COUNTER)]
    found = {"missing_keys": missing, **{k: list(map(_key, info[k])) for k in info if k != "missing_keys"}}
    wrong = [
        f"{len(found[key])} tensors {said} ({list_some(sorted(found[key]), 3)})"
        for key, said in (
            ("missing_keys", "are missing"),
            ("unexpected_keys", "belong to no part of it"),
        )
        if found[key]
    ]
    if wrong:
        raise InputError(
            f"{path} has the weights of another network than {type(net).__name__}: {'; '.join(wrong)}. Give "
            "the weights of this network, or the folder of these weights."
        )
    renamed: dict[str, Tensor] = net.state_dict()
    return renamed | {key: torch.empty(shape, device="meta") for key, shape, _ in info["mismatched_keys"]}


def _key(found: Any) -> str:
    return str(found[0] if isinstance(found, tuple) else found)


def _create_huggingface(config: Mapping[str, Any], where: str) -> nn.Module:
    kind = _config_of(config, where)
    import transformers

    auto: Any = transformers.AutoModelForImageClassification
    with quiet():
        try:
            net: nn.Module = auto.from_config(kind, dtype="float32", trust_remote_code=False)
        except Exception as error:  # whatever it may raise for what somebody else wrote into a file
            raise _no_classifier(config, where, error) from None
    return net.float()


def _no_classifier(config: Mapping[str, Any], where: str, error: Exception) -> InputError:
    return InputError(
        f"{where}: transformers knows no image classifier of model_type {config['model_type']!r} with this "
        f"config: {_line(error)}"
    )


def _config_of(config: Mapping[str, Any], where: str) -> Any:
    try:
        import transformers
    except ImportError:
        raise InputError(
            f"{where}: to open a model of Hugging Face's install the extra: pip install "
            "'shortcut-audit[huggingface]'."
        ) from None
    if config.get("auto_map"):
        raise InputError(
            f"{where}: the folder brings code of its own (auto_map), which is not run. Give the network as a "
            "function that you wrote: `kind: python`."
        )
    if config.get("quantization_config"):
        raise InputError(f"{where}: its weights are quantized. Save the model in float32, or float16.")
    try:
        with quiet():
            return transformers.AutoConfig.for_model(**_without_kernels(config))
    except Exception as error:  # whatever it may raise for what somebody else wrote into a file
        raise _no_classifier(config, where, error) from None


def _without_kernels(config: Any) -> Any:
    """Without what names code for attention, which transformers would fetch and run."""
    if isinstance(config, Mapping):
        return {k: _without_kernels(v) for k, v in config.items() if "_implementation" not in str(k)}
    return [_without_kernels(v) for v in config] if isinstance(config, list) else config


# --- a function -------------------------------------------------------------------------------------


def _open_python(entry: PythonModel, where: str) -> Opened:
    net = _call(entry.path, entry.args, where)
    config = getattr(net, "pretrained_cfg", None) or getattr(net, "default_cfg", None)
    notes: list[str] = []
    if isinstance(config, Mapping) and "mean" in config:  # of timm, also where a function built it
        door = timm_door(config, entry, where)
    else:
        door = overridden(Door(), entry)
        if not (entry.mean and entry.std):
            notes.append(
                "its function says nothing of preprocessing: it is shown pixels in [0, 1] as they were "
                "packed. Where it was trained with others, write `mean`, `std` and `input_size`"
            )
    made_of = {"kind": "python", "path": entry.path, "args": dict(entry.args), "digest": _digest(entry.path)}
    return Opened(net, made_of, door, notes=notes)


def _digest(path: str) -> str:
    """sha256 of the function's file; empty for what has none."""
    file = python_file(path)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file is not None and file.is_file() else ""


def _call(path: str, args: Mapping[str, Any], where: str) -> nn.Module:
    """What the function returns."""
    module_name, _, name = path.rpartition(":")
    module = _import(module_name, where)
    function = getattr(module, name, None)
    if not callable(function):
        known = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        near = did_you_mean(name, known) or "."
        raise InputError(
            f"{where}: {module_name} has no function {name}{near} It has {', '.join(known[:12]) or 'none'}."
        )
    folder = Path(module_name).resolve().parent if module_name.endswith(".py") else None
    with working_folder_first(folder):
        net = _called(function, args, f"{where}: {path}")
    if not isinstance(net, nn.Module):
        raise InputError(
            f"{where}: {path} returned {type(net).__name__}, not a torch.nn.Module. Let it return the "
            "network."
        )
    if not any(True for _ in net.parameters()) or any(p.is_meta or is_lazy(p) for p in net.parameters()):
        raise InputError(
            f"{where}: {path} returned a {type(net).__name__} whose parameters hold no numbers (it has none, "
            "or they are on `meta` or lazy). Let it return a network that is ready."
        )
    return _copy(net).cpu().float()


def _copy(net: nn.Module) -> nn.Module:
    """A network of its own: the function may give the same one each time, and it is taken apart here."""
    try:
        return copy.deepcopy(net)
    except Exception:  # whatever a stranger's module may raise; most functions make a new one anyway
        return net


def _called(function: Callable[..., Any], args: Mapping[str, Any], where: str) -> Any:
    try:
        inspect.signature(function).bind(**args)
    except TypeError as error:
        raise InputError(f"{where} does not take `args: {dict(args)}`: {error}.") from None
    try:
        return function(**args)
    except (Exception, SystemExit) as error:  # whatever a user's function may raise
        raise InputError(f"{where} failed with {type(error).__name__}: {error}.") from error


def _import(name: str, where: str) -> ModuleType:
    """A module by its name, also from the working folder, or a file by its path."""
    try:
        if name.endswith(".py"):
            return _import_file(Path(name), where)
        with working_folder_first():
            return importlib.import_module(name)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's module may raise while it is imported
        taken = " The name `pipeline` is taken by this package: give the file, `path/to/file.py:function`."
        own = taken if "'pipeline" in str(error) else ""
        raise InputError(
            f"{where}: {name} cannot be imported: {type(error).__name__}: {error}.{own}"
        ) from error


def _import_file(path: Path, where: str) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{where}: {path} does not exist. Write `file.py:function`, or `module:function`.")
    name = f"_brought_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look themselves up there
    with working_folder_first(path.resolve().parent):
        spec.loader.exec_module(module)
    return module


# --- both kinds of folder ---------------------------------------------------------------------------


def _line(error: Exception) -> str:
    """The first line of what a library says."""
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")


def _beside(folder: Path) -> list[Path]:
    found = weights_beside(folder)
    return [] if found is None else [found]
