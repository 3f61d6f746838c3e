"""Make a folder a project: what is missing is written, what is there stays, and both are said."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts.files import friendly_os_errors, write_atomic, write_text
from pipeline.core.errors import InputError
from pipeline.plan.schema import SCHEMA_PATH
from pipeline.project.repository import CONFIG, Repository, find_repository
from pipeline.project.shipped import FOR_PLOTS, shipped
from pipeline.project.whose import check_folder

# what no stage of DVC's names as its own: those DVC has git ignore by itself
_IGNORED_BY_GIT = ("/.scratch/", "/downloads/", "/dvc_plots/")
_IGNORED_NOTE = "# partial work and downloads of shortcut-audit; DVC adds the results of stages by itself"


class SetUp(NamedTuple):
    """What was done to a folder."""

    written: list[str]  # files, and what became of them where that is more than "written"
    remarks: list[str]  # what is left to a person


def set_up(folder: Path, *, has_git: bool = True, params: str | None = None) -> SetUp:
    """Write the files of a project into `folder`, which may hold anything. Every file that is there stays.

    Killed in between, it goes on when it is called again; a second call does nothing.

    Args:
        has_git: whether a git repository around the folder is to keep the project.
        params: the text of `params.yaml`; None: the shipped one.

    Raises:
        InputError: `dvc.yaml` or `params.yaml` are another project's (nothing is written), or the folder
            cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file. Name a folder: shortcut-audit init FOLDER")
    remarks = check_folder(folder)
    with friendly_os_errors(folder), _taken_back(folder, folder / ".dvcignore"):
        folder.mkdir(parents=True, exist_ok=True)
        # first: DVC would write one of its own
        written = _write_missing(folder, [".dvcignore"], remarks)
        repository = find_repository(folder, has_git=has_git)
    if repository.is_new:
        how = "" if repository.git_root else " --no-scm"
        written.append(f"{folder / '.dvc'} (as `dvc init{how}` does)")
    elif repository.unset:
        remarks.append(_unset(repository))
    written += _write_missing(_shown(repository.root, folder), FOR_PLOTS, remarks)
    if repository.git_root is not None:
        written += _ignore(folder, remarks)
    # the last two make it a project: whoever was killed before finds nothing that looks like one
    written += _write_missing(folder, [str(SCHEMA_PATH)], remarks)
    for name, text in (("dvc.yaml", None), ("params.yaml", params)):
        if not (folder / name).exists():
            written += _write_missing(folder, [name], remarks, text=text)
    return SetUp(written, remarks)


@contextlib.contextmanager
def _taken_back(folder: Path, file: Path) -> Iterator[None]:
    """Where DVC refuses the folder, it is left as it was: without what was not there before."""
    was_there, had_file = folder.exists(), os.path.lexists(file)
    try:
        yield
    except InputError:
        if not had_file:
            file.unlink(missing_ok=True)
        if not was_there:
            with contextlib.suppress(OSError):  # somebody else's files by now
                folder.rmdir()
        raise


def _write_missing(
    folder: Path, names: list[str] | tuple[str, ...], remarks: list[str], *, text: str | None = None
) -> list[str]:
    """Paths of those that were written; a remark on each that is there and another."""
    written = []
    for name in names:
        path, wanted = folder / name, text or shipped(name)
        if not os.path.lexists(path):
            write_text(path, wanted)
            written.append(str(path))
        elif name == ".dvcignore":
            remarks += _missing_lines(path, wanted)
        elif path.read_text(encoding="utf-8", errors="replace") != wanted:
            remarks.append(
                f"{path} stays as it is. It is not this version's, which `shortcut-audit init --show {name}` "
                "prints."
            )
    return written


def _missing_lines(path: Path, wanted: str) -> list[str]:
    missing = [line for line in _patterns(wanted) if line not in _patterns(_read(path))]
    if not missing:
        return []
    return [f"{path} stays as it is. Add, so that DVC does not look there: {'  '.join(missing)}"]


def _patterns(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _ignore(folder: Path, remarks: list[str]) -> list[str]:
    """Have git ignore what no stage of DVC's names: missing lines are added behind those that are there."""
    path = folder / ".gitignore"
    missing = [line for line in _IGNORED_BY_GIT if line not in _patterns(_read(path))]
    if not missing:
        return []
    if path.is_symlink() or (path.exists() and not path.is_file()):
        remarks.append(f"{path} is no plain file and stays as it is. Add: {'  '.join(missing)}")
        return []
    before = path.read_bytes() if path.exists() else b""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before else end if before.endswith(b"\n") else end + end
    added = end.join(line.encode() for line in (_IGNORED_NOTE, *missing, ""))
    write_atomic(path, lambda temporary: _write_bytes(temporary, before + gap + added))
    return [f"{path} ({'added' if before else 'with'} {'  '.join(missing)})"]


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _unset(repository: Repository) -> str:
    commands = [f"dvc config {key} {str(CONFIG[key]).lower()}" for key in repository.unset]
    return (
        f"{repository.root / '.dvc' / 'config'} stays as it is. So that DVC asks for nothing from elsewhere, "
        f"plots included: {'; '.join(commands)}"
    )


def _shown(root: Path, folder: Path) -> Path:
    """DVC's root as people name it from where they are."""
    return folder if root == folder.resolve() else root
