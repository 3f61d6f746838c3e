"""`params.yaml` of one call of `audit.run`, in a folder that is its own or somebody's."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.artifacts.files import write_text
from pipeline.core.errors import InputError
from pipeline.data.entry.write import write_entry, write_lists
from pipeline.plan.params import Params
from pipeline.project.shipped import shipped
from pipeline.settings.parsing import deep_merge, parse

_MARK = re.compile(r"\A(.*\n)# Written by pipeline\.audit\.run \((\w+)\).*\n")
_SAYS = "# Written by pipeline.audit.run ({}), which replaces it until it is edited: then it is yours.\n"
_UNEXPLAINED = {"retrain": {"subsets": 0, "thin_keep": []}}


class Asked(NamedTuple):
    """What one call asks for."""

    dataset: str  # its name
    entry: Mapping[str, Any] | None  # what it is; None: the entry of that name is meant
    methods: Sequence[str]  # the first is the baseline
    settings: Mapping[str, Any]  # laid over the entry
    explains: bool
    models: Mapping[str, Any] = {}  # entries of those methods that are models of `models`


def is_users(folder: Path) -> bool:
    """Whether `folder` has a `params.yaml` that no run wrote, or that was edited since."""
    path = folder / "params.yaml"
    return path.exists() and _unmarked(_read(path)) is None


def plan_run(folder: Path, asked: Asked) -> str:
    """The text of `params.yaml` for what is asked: the shipped one, so that an update brings its defaults.

    Datasets of earlier calls stay in it; of what they laid over shipped ones nothing does.

    Raises:
        InputError: it would not be valid, or `folder` has another dataset of that name.
    """
    path = folder / "params.yaml"
    before = _load(_read(path)) if path.exists() else {}
    there, models = before.get("datasets", {}), before.get("models", {})
    ours = _shipped_datasets()
    _refuse_namesake(folder, asked, there)
    _refuse_other_model(folder, asked, models)
    others = {name: entry for name, entry in there.items() if not _is_shipped(name, entry, ours)}
    datasets = {**ours, **others}
    entry = asked.entry or datasets[asked.dataset]
    if not asked.explains:
        entry = deep_merge(entry, _UNEXPLAINED)
    entry = deep_merge(entry, asked.settings)
    changed = {name: new for name, new in (others | {asked.dataset: entry}).items() if ours.get(name) != new}
    text = _changed(asked, changed, models | dict(asked.models))
    parse(Params, _load(text)).check()
    return _marked(text)


def check_users(folder: Path, asked: Asked) -> None:
    """Whether a user's own `params.yaml` runs what is asked; it is never written to.

    Raises:
        InputError: it does not, with the line to write.
    """
    path = folder / "params.yaml"
    params = parse(Params, _load(_read(path)))
    other = f"Or give another folder: nothing writes over {path}, which is yours."
    if asked.entry is not None:
        raise InputError(
            f"{path} is yours, and audit.run adds no dataset to it. In {folder}, type `shortcut-audit "
            f"new-dataset {asked.dataset} PATH`, then give its name, {asked.dataset!r}. {other}"
        )
    if asked.models:
        name, entry = next(iter(asked.models.items()))
        raise InputError(
            f"{path} is yours, and audit.run adds no model to it. In {folder}, type `shortcut-audit "
            f"new-model {name} {entry['path']}`, then give its name, {name!r}. {other}"
        )
    if asked.settings:
        raise InputError(f"write the settings into {path}, below `datasets: {asked.dataset}:`. {other}")
    params.dataset(asked.dataset)
    untrained = [name for name in asked.methods if name not in params.active_methods]
    lists = {"active": [asked.dataset], "active_methods": untrained}
    for key, missing in lists.items():
        known = getattr(params, key)
        if set(missing) - set(known):
            raise InputError(f"write `{key}: [{', '.join([*known, *missing])}]` into {path}. {other}")


def known_names(folder: Path) -> list[str]:
    """Datasets that a name may mean: the shipped ones, and those of the folder's `params.yaml`."""
    path = folder / "params.yaml"
    there = _load(_read(path)).get("datasets") if path.exists() else None
    names = there if isinstance(there, Mapping) else {}
    return list(dict.fromkeys([*_shipped_datasets(), *map(str, names)]))


def known_models(folder: Path) -> list[str]:
    """Models that a name may mean: those of the folder's `params.yaml`."""
    path = folder / "params.yaml"
    there = _load(_read(path)).get("models") if path.exists() else None
    return list(map(str, there)) if isinstance(there, Mapping) else []


def plain(value: Any) -> Any:
    """Paths, tuples and numpy's numbers as YAML writes them.

    Raises:
        InputError: a value has no way to be written.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise InputError(
        f"{value!r} cannot be written into params.yaml. Give texts, numbers, booleans, lists or mappings."
    )


def _is_shipped(name: str, entry: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether the name still means the shipped dataset, whatever an earlier call laid over its entry."""
    return name in ours and _place(ours[name]) == _place(entry)


def unknown(name: str, known: Sequence[str]) -> str:
    return (
        f"{name!r} is neither a dataset's name nor a path that exists. Known names: {', '.join(known)}. Give "
        "one of them, the path of a folder or table of images, or an entry such as "
        "{'source': {'kind': 'folder', 'path': '/photos'}}."
    )


def _refuse_namesake(folder: Path, asked: Asked, datasets: Mapping[str, Any]) -> None:
    there = datasets.get(asked.dataset)
    if asked.entry is None or there is None or _place(there) == _place(asked.entry):
        return
    raise InputError(
        f"{folder} holds an audit of another dataset {asked.dataset!r} "
        f"({_place(there)[1] or _place(there)[0]}), whose results would be replaced. Give another folder."
    )


def _refuse_other_model(folder: Path, asked: Asked, there: Mapping[str, Any]) -> None:
    for name, entry in asked.models.items():
        known = there.get(name, entry)
        if any(known.get(key) != entry.get(key) for key in ("kind", "path")):
            raise InputError(
                f"{folder} holds an audit of another model {name!r} ({known.get('path')}), whose results "
                f"would be replaced. Give this one a name, {{'{name}_2': ...}}, or give another folder."
            )


def _place(entry: Mapping[str, Any]) -> tuple[str, str]:
    source = entry.get("source")
    found = source if isinstance(source, Mapping) else {}
    return str(found.get("kind")), str(found.get("path") or found.get("class") or "")


def _changed(asked: Asked, entries: Mapping[str, Mapping[str, Any]], models: Mapping[str, Any]) -> str:
    """The shipped text with the lists and these entries; every other byte, comments included, as it is."""
    explained = asked.methods if asked.explains else asked.methods[:1]
    lists = {"active": [asked.dataset], "active_methods": asked.methods, "explained_methods": explained}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        write_text(path, shipped("params.yaml"))
        write_lists(path, lists)
        for name, entry in entries.items():
            write_entry(path, name, dict(entry), overwrite=True)
        for name, model in models.items():
            write_entry(path, name, plain(model), section="models")
        return path.read_text(encoding="utf-8")


def _marked(text: str) -> str:
    first, rest = text.split("\n", 1)
    return f"{first}\n{_SAYS.format(_digest(text))}{rest}"


def _unmarked(text: str) -> str | None:
    """What a run wrote, without its mark; None: no run did, or it was edited since."""
    found = _MARK.match(text)
    if found is None:
        return None
    plain = found[1] + text[found.end() :]
    return plain if found[2] == _digest(plain) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Give another folder.") from None


@cache
def _shipped_datasets() -> Mapping[str, Any]:
    found: Mapping[str, Any] = _load(shipped("params.yaml"))["datasets"]
    return found


def _load(text: str) -> Any:
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InputError(f"params.yaml is not valid YAML: {error}") from None
    return found if isinstance(found, dict) else {}
