"""Checksums of files and fingerprints of folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.data.base import RawRow

_BLOCK = 1 << 20


def md5_of(path: Path) -> str:
    """md5 of a file's content, 32 hex digits. Published checksums are md5; it guards against damage."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fingerprint_files(root: Path, files: Iterable[Path]) -> str:
    """16 hex digits that change when a file is added, removed, renamed or changes its size.

    Times are left out on purpose: copying or re-extracting the same files must not look like a
    change. `version` in the source settings covers edits that keep the size.
    """
    digest = hashlib.sha256()
    for name, size in sorted((os.path.relpath(file, root), file.stat().st_size) for file in files):
        digest.update(f"{Path(name).as_posix()}\0{size}\n".encode())
    return digest.hexdigest()[:16]


def image_files(rows: Iterable[RawRow]) -> list[Path]:
    """The rows' image files; rows that carry arrays have none."""
    return [row.image for row in rows if isinstance(row.image, Path)]
