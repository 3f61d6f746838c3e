"""What is below a folder, leaving out what operating systems leave behind."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipeline.core.types import SplitName

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2"}
)
SPLIT_ALIASES: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_JUNK = {"__MACOSX", "Thumbs.db", "@eaDir"}


def is_junk(name: str) -> bool:
    return name.startswith(".") or name in _JUNK


def find_files(folder: Path) -> list[Path]:
    """All files below `folder`, sorted, without hidden ones; links to folders are not followed."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        found += [Path(parent) / name for name in sorted(files) if not is_junk(name)]
    return found


def find_images(folder: Path) -> list[Path]:
    """Image files below `folder` by suffix, sorted."""
    return [file for file in find_files(folder) if file.suffix.lower() in IMAGE_SUFFIXES]


def subfolders(folder: Path) -> list[Path]:
    """Direct subfolders, sorted, without hidden ones."""
    return sorted(child for child in folder.iterdir() if child.is_dir() and not is_junk(child.name))


def fingerprint_folder(folder: Path) -> str:
    """16 hex digits that change when a file below is added, removed, renamed or changes its size.

    Times are left out on purpose: copying or re-extracting the same files must not look like a
    change. `version` in the source settings covers edits that keep the size. "" = no such folder.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        return ""
    digest = hashlib.sha256()
    for file in find_files(folder):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.lstat().st_size}\n".encode())
    return digest.hexdigest()[:16]
