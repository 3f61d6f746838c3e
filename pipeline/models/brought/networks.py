"""Networks that somebody else saved, opened as what they are: timm's folders, Hugging Face's, or a function.

Each opener gives the network without its weights, which `weights` lays in, and what was saved with it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.models.adapted import Door
from pipeline.models.brought.sources import CONFIG, PROCESSOR, WEIGHTS, python_file, working_folder_first
from pipeline.settings.models import HuggingfaceModel, NetworkModel, PythonModel, TimmModel
from pipeline.settings.parsing import did_you_mean


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
            opened = _open_timm(_read_config(entry.path, where), Path(entry.path), where)
        case HuggingfaceModel():
            opened = _open_huggingface(_read_config(entry.path, where), Path(entry.path), where)
        case PythonModel():
            opened = _open_python(entry.path, entry.args, where)
        case _:
            raise InputError(f"{where}: kind {type(entry).__name__} has no network.")
    return replace(opened, door=_overridden(opened.door, entry))


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
        raise InputError(
            f"{where}: {made_of['path']} was changed since its weights were read. Run `dvc repro`."
        )
    return _call(made_of["path"], made_of["args"], where)


# --- timm -------------------------------------------------------------------------------------------


def _open_timm(config: dict[str, Any], folder: Path, where: str) -> Opened:
    if "architecture" not in config:
        is_other = "model_type" in config
        raise InputError(
            f"{where}: {folder / CONFIG} names no `architecture`, so it is no folder of timm's"
            + (". It is one of Hugging Face's: write `kind: huggingface`." if is_other else ".")
        )
    net = _create_timm(config, where)
    saved = {**getattr(net, "pretrained_cfg", {}), **config.get("pretrained_cfg", {})}
    labels = config.get("label_names") or saved.get("label_names")
    return Opened(
        net,
        {
            "kind": "timm",
            "config": {k: config[k] for k in ("architecture", "num_classes", "model_args") if k in config},
        },
        _door(saved, where),
        list(labels) if labels else None,
        _beside(folder),
    )


def _create_timm(config: Mapping[str, Any], where: str) -> nn.Module:
    import timm

    from pipeline.models.timm_zoo import check_args

    name, args = str(config["architecture"]), dict(config.get("model_args") or {})
    check_args(args, f"{where}: model_args of {CONFIG}")
    if "num_classes" in config:
        args["num_classes"] = config["num_classes"]
    if not timm.is_model(name):
        near = did_you_mean(name, timm.list_models()) or "."
        raise InputError(f"{where}: architecture {name!r} is not one of timm {timm.__version__}'s{near}")
    try:
        net: nn.Module = timm.create_model(name, pretrained=False, **args)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise InputError(f"{where}: timm cannot build {name} with {args}: {error}.") from None
    return net


def _door(saved: Mapping[str, Any], where: str) -> Door:
    from pipeline.models.timm_zoo import smooth

    channels, *sides = saved.get("input_size", (3, 224, 224))
    if channels != 3 or len(set(sides)) != 1:
        raise InputError(
            f"{where}: the network was made for images of {' x '.join(map(str, (channels, *sides)))}; only "
            "three channels and squares are audited. Give the side as `input_size`, if it takes others."
        )
    return Door(
        saved.get("mean", (0.485, 0.456, 0.406)),
        saved.get("std", (0.229, 0.224, 0.225)),
        int(sides[0]),
        float(saved.get("crop_pct") or 1.0),
        smooth(str(saved.get("interpolation", "bicubic"))),
    )


# --- Hugging Face -----------------------------------------------------------------------------------


def _open_huggingface(config: dict[str, Any], folder: Path, where: str) -> Opened:
    if "model_type" not in config:
        is_timm = "architecture" in config
        raise InputError(
            f"{where}: {folder / CONFIG} names no `model_type`, so no image classifier of Hugging Face's"
            + (". It is a folder of timm's: write `kind: timm`." if is_timm else ".")
        )
    if config["model_type"] == "timm_wrapper":
        raise InputError(f"{where}: {folder} wraps a network of timm's. Write `kind: timm`.")
    net = _create_huggingface(config, where)
    labels = config.get("id2label") or {}
    names = [str(labels[key]) for key in sorted(labels, key=int)] if labels else None
    notes: list[str] = []
    door = _processor_door(folder, config, notes)
    made_of = {"kind": "huggingface", "config": config}
    return Opened(net, made_of, door, names, _beside(folder), partial(_rename, config, where), notes)


def _rename(config: Mapping[str, Any], where: str, state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Tensors under the names of this version of transformers, by its own rules.

    Raises:
        InputError: some are missing, too many or of another shape.
    """
    own: Any = type(_create_huggingface(config, where))
    with _quiet():
        net, info = own.from_pretrained(
            None,
            config=_config_of(config, where),
            state_dict=state,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype="float32",
        )
    wrong = [
        f"{len(info[kind])} tensors {said} ({list_some(sorted(map(_key, info[kind])), 3)})"
        for kind, said in (
            ("missing_keys", "are missing"),
            ("unexpected_keys", "belong to no part of it"),
            ("mismatched_keys", "have another shape"),
        )
        if info[kind]
    ]
    if wrong:
        raise InputError(
            f"{path} has the weights of another network than {type(net).__name__}: {'; '.join(wrong)}. Give "
            "the weights of this network, or the folder of these weights."
        )
    renamed: dict[str, Tensor] = net.state_dict()
    return renamed


def _key(found: Any) -> str:
    return str(found[0] if isinstance(found, tuple) else found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Its progress bars and tables of tensors say nothing that our messages do not."""
    from transformers.utils import logging

    theirs: Any = logging

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()


def _create_huggingface(config: Mapping[str, Any], where: str) -> nn.Module:
    kind = _config_of(config, where)
    import transformers

    auto: Any = transformers.AutoModelForImageClassification
    try:
        net: nn.Module = auto.from_config(kind, dtype="float32")
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise _no_classifier(config, where, error) from None
    return net.float()


def _no_classifier(config: Mapping[str, Any], where: str, error: Exception) -> InputError:
    return InputError(
        f"{where}: transformers knows no image classifier of model_type {config['model_type']!r} with this "
        f"config: {str(error).partition(chr(10))[0]}"
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
    try:
        return transformers.AutoConfig.for_model(**dict(config))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_classifier(config, where, error) from None


def _processor_door(folder: Path, config: Mapping[str, Any], notes: list[str]) -> Door:
    """The preprocessing of preprocessor_config.json; without one, what is usual is taken and said."""
    path = folder / PROCESSOR
    own = config.get("image_size")
    side = int(own[0] if isinstance(own, Sequence) else own) if own else 224
    if not path.is_file():
        notes.append(
            f"{path.name} is missing: images are shown at {side} px with ImageNet's mean and deviation. "
            "Where it was trained with others, write `mean`, `std` and `input_size`"
        )
        return Door((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), side)
    saved = _read_json(path)
    size, crop = _side(saved.get("size")), _side(saved.get("crop_size"))
    cropped = bool(saved.get("do_center_crop")) and crop is not None
    side = (crop if cropped else size) or side
    resized = size if cropped and size else side
    crop_pct = saved.get("crop_pct") or min(1.0, side / max(resized or side, 1))
    if not saved.get("do_resize", True) and not cropped:
        notes.append("its preprocessing resizes nothing: images are shown as they were packed")
        side = None  # type: ignore[assignment]
    scale = float(saved.get("rescale_factor", 1 / 255)) * 255 if saved.get("do_rescale", True) else 255.0
    normal = bool(saved.get("do_normalize", True))
    mean = [m / scale for m in (saved.get("image_mean") if normal else None) or (0.0,) * 3]
    std = [s / scale for s in (saved.get("image_std") if normal else None) or (1.0,) * 3]
    return Door(mean, std, side, float(crop_pct), _pil_filter(saved.get("resample", 2)))


def _side(size: Any) -> int | None:
    """Of {height, width}, {shortest_edge} or a number; the shorter one."""
    if isinstance(size, Mapping):
        found = [int(v) for v in size.values() if isinstance(v, int | float)]
        return min(found) if found else None
    return int(size) if isinstance(size, int | float) else None


def _pil_filter(number: Any) -> str:
    """Torch's name of Pillow's filter; Lanczos and others are nearest to bicubic."""
    return {0: "nearest", 2: "bilinear"}.get(number, "bicubic")


# --- a function -------------------------------------------------------------------------------------


def _open_python(path: str, args: Mapping[str, Any], where: str) -> Opened:
    net = _call(path, args, where)
    config = getattr(net, "pretrained_cfg", None) or getattr(net, "default_cfg", None)
    notes: list[str] = []
    if isinstance(config, Mapping) and "mean" in config:  # of timm, also where a function built it
        door = _door(config, where)
    else:
        door = Door()
        notes.append(
            "its function says nothing of preprocessing: it is shown pixels in [0, 1] as they were packed. "
            "Where it was trained with others, write `mean`, `std` and `input_size`"
        )
    made_of = {"kind": "python", "path": path, "args": dict(args), "digest": _digest(path)}
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
    net = _called(function, args, f"{where}: {path}")
    if not isinstance(net, nn.Module):
        raise InputError(f"{where}: {path} returned {type(net).__name__}, not a torch.nn.Module.")
    return net.float()


def _called(function: Callable[..., Any], args: Mapping[str, Any], where: str) -> Any:
    try:
        inspect.signature(function).bind(**args)
    except TypeError as error:
        raise InputError(f"{where} does not take `args: {dict(args)}`: {error}.") from None
    try:
        return function(**args)
    except Exception as error:  # whatever a user's function may raise
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
    except Exception as error:  # whatever a user's module may raise while it is imported
        raise InputError(f"{where}: {name} cannot be imported: {type(error).__name__}: {error}.") from error


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


def _read_config(path: str, where: str) -> dict[str, Any]:
    file = Path(path) / CONFIG
    if not file.is_file():
        there = (
            "is a file"
            if Path(path).is_file()
            else "does not exist"
            if not Path(path).exists()
            else f"has no {CONFIG}"
        )
        raise InputError(f"{where}.path: {path} {there}. Give the folder that the model was saved into.")
    return _read_json(file)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is not JSON ({error}). Save the model again.") from None
    if not isinstance(found, dict):
        raise InputError(f"{file} holds {type(found).__name__}, not settings by name. Save the model again.")
    return found


def _beside(folder: Path) -> list[Path]:
    return [path for name in WEIGHTS if (path := folder / name).is_file()][:1]


def _overridden(door: Door, entry: NetworkModel) -> Door:
    """With what the user wrote; where only a side is given, nothing is cut away."""
    resized: dict[str, Any] = {"side": entry.input_size, "crop_pct": 1.0} if entry.input_size else {}
    own: dict[str, Any] = {
        "mean": entry.mean,
        "std": entry.std,
        "interpolation": entry.interpolation,
        "crop_pct": entry.crop_pct,
    }
    return replace(door, **{**resized, **{key: value for key, value in own.items() if value is not None}})
