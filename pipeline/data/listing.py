"""Find image files below a folder, leaving out what operating systems leave behind."""

from __future__ import annotations

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
