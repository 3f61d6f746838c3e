"""Whether a user's path shares files with what stages write, under whatever name either is reached."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.artifacts.paths import dataset_dir

# folders that are the pipeline's as a whole; of data/ only data/<dataset>/packed is
OWN_FOLDERS = (
    "audit",
    "models",
    "evaluation",
    "retrained",
    "attribution",
    "gradcam",
    "reports",
    ".scratch",
    ".dvc",
)


def written_folders(datasets: Iterable[str]) -> list[Path]:
    """Where stages write for these datasets; `downloads/` is not among them: nothing there is replaced."""
    return [*(Path(name) for name in OWN_FOLDERS), *(dataset_dir(name) for name in datasets)]


def describe_overlap(path: Path, folders: Iterable[Path]) -> str | None:
    """ "is reports", "lies in reports" or "holds reports" for the first of `folders` that `path` overlaps.

    Links are followed, and folders that exist are compared by what they are, not by name: on a disk that
    ignores case, `Data` is `data`.
    """
    for folder in folders:
        is_inside, is_above = _is_in(path, folder), _is_in(folder, path)
        if is_inside or is_above:
            relation = "is" if is_inside and is_above else "lies in" if is_inside else "holds"
            return f"{relation} {folder}"
    return None


def _is_in(path: Path, folder: Path) -> bool:
    """Whether `path` is `folder` or lies below it."""
    above = {_identity(str(p)) for name in _names(path) for p in (Path(name), *Path(name).parents)}
    return any(_identity(name) in above for name in _names(folder))


def _names(path: Path) -> list[str]:
    """As written and with links followed: a link that lies in a folder is at risk like its target."""
    return list(dict.fromkeys([os.path.abspath(path), os.path.realpath(path)]))


def _identity(name: str) -> object:
    try:
        found = os.stat(name)
    except (OSError, ValueError):
        return name.casefold()
    return found.st_dev, found.st_ino
