"""Whether a user's path shares files with what stages write, under whatever name either is reached."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.artifacts.paths import dataset_dir
from pipeline.core.errors import InputError

# folders that are the pipeline's as a whole; of data/ only data/<dataset>/packed is, and the file of facts
OWN_FOLDERS = (
    "audit",
    "groups",
    "models",
    "evaluation",
    "retrained",
    "attribution",
    "gradcam",
    "reports",
    ".scratch",
    ".plan",
    ".dvc",
)


def written_folders(datasets: Iterable[str]) -> list[Path]:
    """Where stages write for these datasets; `downloads/` is not among them: nothing there is replaced."""
    return [*(Path(name) for name in OWN_FOLDERS), *(dataset_dir(name) for name in datasets)]


def check_files(files: Iterable[Path], name: str, datasets: Iterable[str]) -> None:
    """Refuse images and masks that a loader found: a table or plugin may name them anywhere.

    Args:
        datasets: of all that there are; a run of one can delete what another reads.

    Raises:
        InputError: one lies where a stage writes.
    """
    folders = _written(name, datasets)
    for parent in sorted({file.parent for file in files}):
        found = describe_overlap(parent, folders)
        if found and not found.startswith("holds"):
            raise InputError(_explain(f"{parent}, with images or masks of {name}, {found}", parent, name))


def check_path(path: Path, what: str, name: str, datasets: Iterable[str]) -> None:
    """Refuse `path` as a source of the dataset `name`; `what` starts the message.

    Raises:
        InputError: it is, lies in or holds something that a stage writes.
    """
    found = describe_overlap(path, _written(name, datasets))
    if found:
        raise InputError(_explain(f"{what} {found}", path, name))


def _written(name: str, datasets: Iterable[str]) -> list[Path]:
    return written_folders(dict.fromkeys([name, *datasets]))


def _explain(finding: str, path: Path, name: str) -> str:
    is_namesake = describe_overlap(path, [dataset_dir(name).parent]) == f"is {dataset_dir(name).parent}"
    other = f", or give the dataset another name than {name!r}" if is_namesake else ""
    return (
        f"{finding}, where the pipeline writes and DVC deletes: files would be lost. Nothing was touched. "
        f"Move them to a folder of their own and name that{other}."
    )


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
