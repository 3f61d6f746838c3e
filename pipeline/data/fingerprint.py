"""Whether a user's files are still those that were packed: by content, read only where one was touched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts.provenance import file_digest
from pipeline.data.raw import RawDataset


def fingerprint_files(raw: RawDataset) -> str:
    """16 hex digits of the content of every image, mask and table, with their names; reads all of them.

    The same files copied or extracted again give the same digits; edited ones others, whatever their size.
    """
    return _digest(f"{name}\0{file_digest(path)}" for name, path in _named_files(raw))


def stamp_files(raw: RawDataset) -> str:
    """16 hex digits of the files' sizes and times: the same digits mean that none was touched.

    The time of the last change of an entry counts as well: a program can set back the other, not this one.
    """
    return _digest(f"{name}\0{_stat(path)}" for name, path in _named_files(raw))


def _stat(path: Path) -> str:
    found = path.stat()
    return f"{path.resolve()} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _named_files(raw: RawDataset) -> Iterator[tuple[str, Path]]:
    for path in raw.decided_by or []:
        yield f"table {path.name}", path
    for row in raw.rows:
        for kind, part in (("image", row.image), ("mask", row.mask)):
            if isinstance(part, Path):
                yield f"{kind} {row.name}", part


def _digest(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()[:16]
