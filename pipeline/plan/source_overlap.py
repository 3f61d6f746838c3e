"""Refuse datasets whose files lie where stages write: DVC deletes there before a stage could object."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.overlap import check_path
from pipeline.plan.params import Params

_BELOW_PATH = ("table", "images", "masks")  # keys of a source that are relative to its `path`
_PATH_OPTION = re.compile(r"path|folder|dir|root|file|table|archive|images|masks", re.IGNORECASE)


def check_sources(params: Params) -> None:
    """Look at every path of every dataset, active or not: a run of one can delete what another reads.

    Raises:
        InputError: a path is, lies in or holds something that a stage writes.
    """
    known = [*params.datasets, *params.active]
    for name, entry in params.datasets.items():
        source = entry.get("source")
        for key, path in source_paths(source) if isinstance(source, Mapping) else ():
            check_path(path, f"datasets.{name}.{key} = {str(path)!r}", name, known)


def shares_source(params: Params, name: str) -> bool:
    """Whether another entry has the same images: of one kind, and of one path where there is one."""
    own = _place(params.datasets[name]["source"])
    return any(_place(entry.get("source")) == own for key, entry in params.datasets.items() if key != name)


def _place(source: Any) -> tuple[str, ...]:
    if not isinstance(source, Mapping):
        return ()
    paths = (str(path.resolve()) for _, path in source_paths(source))
    return str(source.get("kind")), str(source.get("class", "")), *sorted(paths)


def source_paths(source: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """The paths that a `source` names, with their keys, as the loaders read them."""
    if source.get("kind") == "python":
        options = source.get("options")
        yield from _option_paths("source.options", options if isinstance(options, Mapping) else {})
        return
    if not isinstance(source.get("path"), str):
        return
    root = Path(source["path"]).expanduser()
    yield "source.path", root
    for key in _BELOW_PATH:
        if isinstance(source.get(key), str):
            yield f"source.{key}", root / source[key]


def _option_paths(key: str, value: Any) -> Iterator[tuple[str, Path]]:
    """Texts among a plugin's options that are paths by their key, or because there is such a file."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _option_paths(f"{key}.{name}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _option_paths(key, inner)
    elif isinstance(value, str) and value:
        path = Path(value).expanduser()
        looks_like_one = value.strip(os.sep) != "" and os.sep in value and path.exists()
        if looks_like_one or _PATH_OPTION.search(key.removeprefix("source.options")):
            yield key, path
