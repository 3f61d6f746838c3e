"""What `audit.run` is given as models: names of methods, paths, or entries of `models`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import InputError
from pipeline.methods.brought.guess import guess_model, is_function
from pipeline.methods.registry import method_names, parse_method
from pipeline.models.brought.sources import python_file
from pipeline.project.entry import name_of
from pipeline.project.run_params import plain
from pipeline.settings.models import Model

Given = str | Path | Mapping[str, Any]  # a method's name, a path, or an entry
Models = Given | Sequence[Given]


def identify_models(given: Models, known: Collection[str]) -> tuple[list[str], dict[str, Any]]:
    """Names of methods and models, the first one the baseline, and entries of the models.

    Args:
        known: models that the folder has entries of already.

    Raises:
        InputError: one is neither a name nor anything that can be audited, or two have the same name.
    """
    names: list[str] = []
    entries: dict[str, Any] = {}
    for called, one in _named(given):
        found = _identify(one, known)
        if isinstance(found, str):
            names.append(found)
            continue
        name = called or _name_of(found)
        if name in method_names():
            raise InputError(
                f"model {name!r} has the name of a training method. Name it: {{'my_{name}': {str(one)!r}}}."
            )
        entries[name] = found
        names.append(name)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"two models are called {twice!r}. Name them: {{'{twice}_1': ..., '{twice}_2': ...}}."
        )
    return names, entries


def absolute(path: str | Path) -> str:
    """A path is meant from where the caller is; the stages run in the audit's folder."""
    return str(Path(path).expanduser().resolve())


def _named(given: Models) -> list[tuple[str | None, Given]]:
    """Each model with the name that it was given, if any."""
    if isinstance(given, str | Path) or (isinstance(given, Mapping) and "kind" in given):
        return [(None, given)]
    if isinstance(given, Mapping):
        return [(str(name), one) for name, one in given.items()]
    if isinstance(given, Sequence) and len(given) > 0:
        return [pair for one in given for pair in _named(one)]
    raise InputError(
        f"model = {given!r}: give a training method such as 'erm', a path, an entry such as "
        "{'kind': 'timm', 'path': 'my_net'}, or a list of these. A network in memory has to be saved first: "
        "a function that builds it, and its weights by safetensors.torch.save_file."
    )


def _identify(one: Given, known: Collection[str]) -> str | dict[str, Any]:
    """A name of a method or of a model that is known, or the entry of one that is given by its files."""
    if isinstance(one, Mapping):
        return _checked(dict(one))
    if isinstance(one, Path):
        return _checked(guess_model(str(one)))
    if one in known:
        return one
    try:
        return parse_method(one)
    except ValueError as error:
        if Path(one).expanduser().exists() or is_function(one):
            return _checked(guess_model(one))
        models = f" Models of this folder: {', '.join(known)}." if known else ""
        raise InputError(f"model: {error}.{models} There is no file or folder of that name.") from None


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    entry = plain(given)
    try:
        TypeAdapter(Model).validate_python(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][1:])) or "kind"  # the first names the kind
        raise InputError(f"model = {entry}: {where}: {first['msg']}.") from None
    moved: dict[str, Any] = {**entry, "path": _absolute_path(entry["path"], entry["kind"])}
    if "weights" in entry:
        weights = entry["weights"]
        moved["weights"] = [absolute(path) for path in ([weights] if isinstance(weights, str) else weights)]
    if "checkpoints" in entry:
        moved["checkpoints"] = [[absolute(path) for path in paths] for paths in entry["checkpoints"]]
    return moved


def _absolute_path(path: str, kind: str) -> str:
    if kind != "python":
        return absolute(path)
    module, _, function = path.rpartition(":")
    found = python_file(path)
    if not module.endswith(".py") and found is not None and len(found.parts) == 1:
        module = str(found)  # beside the caller, where no stage would find it by its name
    return f"{absolute(module)}:{function}" if module.endswith(".py") else path


def _name_of(entry: Mapping[str, Any]) -> str:
    path = str(entry["path"])
    return name_of({"path": path.rpartition(":")[2] if entry["kind"] == "python" else path})
