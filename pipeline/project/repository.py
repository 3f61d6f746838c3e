"""DVC's own part of a project: the repository that a folder is in, or a new one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCM, SCMError

from pipeline.artifacts.files import friendly_os_errors
from pipeline.core.errors import InputError

CONFIG = {
    "core.analytics": False,
    "core.check_update": False,
    "plots.html_template": "plots_page.html",  # DVC's own page loads vega from elsewhere
}


class Repository(NamedTuple):
    """Where DVC keeps its `.dvc/`."""

    root: Path
    is_new: bool
    git_root: Path | None  # of the git repository around it; None: none, or none that DVC looks at
    unset: list[str]  # keys of `CONFIG` that an older one leaves open


def find_repository(folder: Path, *, has_git: bool) -> Repository:
    """The DVC repository of `folder`, made where there is none.

    Args:
        has_git: whether the files are to be a git repository's where there is one. Without, the folder gets
            a repository of its own that looks at none around it.

    Raises:
        InputError: DVC cannot make one, or cannot read the one that is there.
    """
    try:
        logging.getLogger("dvc").setLevel(logging.WARNING)  # it would congratulate
        with friendly_os_errors(folder / ".dvc"):
            return _find(folder.resolve(), has_git=has_git)
    except DvcException as error:
        raise InputError(
            f"DVC cannot work in {folder}: {error} Correct that, or name another folder: "
            "shortcut-audit init FOLDER"
        ) from None


def _find(folder: Path, *, has_git: bool) -> Repository:
    git_root = _git_root(folder) if has_git else None
    root = _dvc_root(folder) if has_git or (folder / ".dvc").is_dir() else None
    if root is not None:
        with Repo(str(root)) as repo:
            unset = [key for key in CONFIG if not _is_set(repo.config, key)]
        return Repository(root, False, git_root, unset)
    in_part = git_root is not None and git_root != folder
    with (
        Repo.init(str(folder), no_scm=git_root is None, subdir=in_part) as repo,
        repo.config.edit("repo") as config,
    ):
        for key, value in CONFIG.items():
            section, _, name = key.partition(".")
            config.setdefault(section, {})[name] = value
    return Repository(folder, True, git_root, [])


def _dvc_root(folder: Path) -> Path | None:
    """That of `folder` or above it."""
    return next((path for path in (folder, *folder.parents) if (path / ".dvc").is_dir()), None)


def _git_root(folder: Path) -> Path | None:
    try:
        return Path(SCM(str(folder), search_parent_directories=True).root_dir).resolve()
    except SCMError:
        return None


def _is_set(config: Config, key: str) -> bool:
    """By a person, in the repository or for all of theirs: DVC's defaults do not count."""
    section, _, name = key.partition(".")
    return any(name in config.load_one(level).get(section, {}) for level in config.LEVELS)
