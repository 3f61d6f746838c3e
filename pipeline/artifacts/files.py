"""Atomic file writes and typed JSON artifacts.

Everything is written to a temporary sibling and moved into place with `os.replace`, so a reader
never sees half a file and a full disk leaves the old one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from pipeline.core.errors import ArtifactError, InputError
from pipeline.records.base import SCHEMA_VERSION, Artifact

A = TypeVar("A", bound=Artifact)
RESERVE_BYTES = 50_000_000  # left free on the disk: logs, metadata and other programs write too


@contextlib.contextmanager
def friendly_os_errors(path: Path) -> Iterator[None]:
    """Turn 'disk full' and 'not writable' into errors that name the path and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"the disk that holds {path} is full ({error.strerror}). Nothing was left half "
                "written; free some space and run `dvc repro` again."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise InputError(
                f"cannot write {path} ({error.strerror}). Make the folder writable for this user, "
                "or run the project from a folder that is."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise InputError(
                f"cannot write {path}: one of the folders in this path is a file. Give another path."
            ) from error
        raise


def require_space(
    folder: Path, needed: int, what: str, remedy: str = "Free some space and run again."
) -> None:
    """Check before a long write that the disk has room for `needed` bytes and a reserve.

    Raises:
        InputError: it has not; `what` starts the message, `remedy` ends it.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed + RESERVE_BYTES > free:
        raise InputError(
            f"{what} needs {needed / 1e6:,.1f} MB and {RESERVE_BYTES / 1e6:.0f} MB to spare, but {existing} "
            f"has {free / 1e6:,.1f} MB free. {remedy}"
        )


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path beside `path`, then move the result into place.

    Raises:
        InputError: the disk is full, the folder is not writable, or `path` is a folder; what was there is
            as it was before.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder. Name a file in it.")
    with friendly_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            _flush_to_disk(temporary)
            os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide reports from other users
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    write_atomic(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def fresh_dir(path: Path, *, foreign: Callable[[Path], Sequence[str]] | None = None) -> Iterator[Path]:
    """A temporary folder that replaces `path` when the block ends well, and vanishes otherwise.

    Args:
        foreign: lists what in `path` must not go, for example with `find_foreign`; None: nothing may.

    Raises:
        InputError: `path` is a link or a file, or holds what must not go; it is then as it was before.
    """
    with friendly_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        try:
            yield temporary
            os.chmod(temporary, 0o755)
            _make_way(path, foreign)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _make_way(path: Path, foreign: Callable[[Path], Sequence[str]] | None) -> None:
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise InputError(f"{path} is a link or a file, but a folder is written there. Move it away.")
    if path.exists():
        kept = foreign(path) if foreign else [child.name for child in path.iterdir()]
        if kept:
            raise InputError(f"{path} holds {kept[0]}, which this pipeline did not write. Move it away.")
        shutil.rmtree(path)


def find_foreign(folder: Path, holds: str | Sequence[str]) -> list[str]:
    """Files below `folder`, relative to it, that are none of `holds`: names, or a pattern of names."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    if isinstance(holds, str):
        return [name for name in found if not re.fullmatch(holds, name)]
    return [name for name in found if name not in holds]


@contextlib.contextmanager
def fresh_files(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """A temporary folder whose files `names` are moved into `folder`, in order, when the block ends well.

    What else lies there stays.
    """
    with friendly_os_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
        try:
            yield temporary
            folder.mkdir(exist_ok=True)
            for name in names:
                os.replace(temporary / name, folder / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sweep_leftovers(path: Path) -> None:
    """Delete what a killed run left beside `path` under the temporary names of this module, nothing else."""
    for leftover in path.parent.glob(f".{path.name}.*.part"):
        if re.fullmatch(r"[a-z0-9_]{8}", leftover.name[len(path.name) + 2 : -len(".part")]):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def save_artifact(path: Path, artifact: Artifact) -> None:
    """Write a typed record as JSON."""
    write_text(path, artifact.model_dump_json(indent=1) + "\n")


def load_artifact(path: Path, kind: type[A]) -> A:
    """Read a typed record and check its schema version.

    Raises:
        ArtifactError: missing, not JSON, of another schema version, or not of this kind.
    """
    remedy = "Run `dvc repro` to make it again."
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. {remedy}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is not valid JSON ({error}). {remedy}") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {version!r}, this code reads {SCHEMA_VERSION}. {remedy}"
        )
    if "not_trained" in raw and "not_trained" not in kind.model_fields:
        raise ArtifactError(f"{path}: {raw.get('method')} was not trained: {raw['not_trained']}")
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ArtifactError(f"{path} is not a {kind.__name__}: {error}. {remedy}") from None
