"""Refuse datasets whose files lie where stages write: DVC deletes there before a stage could object."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.overlap import describe_overlap, written_folders
from pipeline.artifacts.paths import dataset_dir
from pipeline.core.errors import InputError
from pipeline.settings.params import Params

_BELOW_PATH = ("table", "images", "masks")  # keys of a source that are relative to its `path`
_PATH_OPTION = re.compile(r"path|folder|dir|root|file|table|archive|images|masks", re.IGNORECASE)


def check_sources(params: Params) -> None:
    """Look at every path of every dataset, active or not: a run of one can delete what another reads.

    Raises:
        InputError: a path is, lies in or holds something that a stage writes.
    """
    for name, entry in params.datasets.items():
        source = entry.get("source")
        for key, path in source_paths(source) if isinstance(source, Mapping) else ():
            check_path(path, f"datasets.{name}.{key} = {str(path)!r}", name, params)


def check_files(files: Iterable[Path], name: str, params: Params) -> None:
    """The same for the images and masks that a loader found: a table or plugin may name them anywhere.

    Raises:
        InputError: one lies where a stage writes.
    """
    folders = _written(name, params)
    for parent in sorted({file.parent for file in files}):
        found = describe_overlap(parent, folders)
        if found and not found.startswith("holds"):
            raise InputError(_explain(f"{parent}, with images or masks of {name}, {found}", parent, name))


def check_path(path: Path, what: str, name: str, params: Params) -> None:
    """Refuse `path` as a source of the dataset `name`; `what` starts the message.

    Raises:
        InputError: it is, lies in or holds something that a stage writes.
    """
    found = describe_overlap(path, _written(name, params))
    if found:
        raise InputError(_explain(f"{what} {found}", path, name))


def _written(name: str, params: Params) -> list[Path]:
    return written_folders(dict.fromkeys([name, *params.datasets, *params.active]))


def _explain(finding: str, path: Path, name: str) -> str:
    is_namesake = describe_overlap(path, [dataset_dir(name).parent]) == f"is {dataset_dir(name).parent}"
    other = f", or give the dataset another name than {name!r}" if is_namesake else ""
    return (
        f"{finding}, where the pipeline writes and DVC deletes: files would be lost. Nothing was touched. "
        f"Move them to a folder of their own and name that{other}."
    )


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
