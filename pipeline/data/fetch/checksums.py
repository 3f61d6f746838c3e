"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


def md5_of(path: Path) -> str:
    """md5 of a file's content, 32 hex digits. Published checksums are md5; it guards against damage."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
