"""A folder of class folders, optionally below train/, val/ and test/."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.settings import FolderSource
from pipeline.core.types import SplitName
from pipeline.data.base import RawDataset, RawRow
from pipeline.data.leftovers import note_left_out
from pipeline.data.listing import (
    IMAGE_SUFFIXES,
    SPLIT_ALIASES,
    find_files,
    find_images,
    fingerprint_folder,
    images_within,
    is_image,
    subfolders,
    unwrap,
)
from pipeline.data.naming import list_some, natural_key


class FolderLoader:
    """Every image below a class folder belongs to that class; no attribute is annotated."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (no such folder, no class folders, no images)."""
        root = Path(self.source.path).expanduser()
        if not root.is_dir():
            raise InputError(f"source.path = {self.source.path!r} is not a folder.")
        inner = unwrap(root)
        rows: list[RawRow] = []
        empty, notes = [], _say_unwrapped(root, root, inner)
        splits = _split_folders(inner)
        trained = {f.name for split, parent in splits if split == "train" for f in subfolders(unwrap(parent))}
        for split, parent in splits:
            below = parent if split is None else _unwrap_split(parent, trained)
            notes += _say_unwrapped(root, parent, below)
            for folder in subfolders(below):
                images = find_images(folder)
                if not images:
                    empty.append(folder.relative_to(root).as_posix())
                for image in images:
                    name = image.relative_to(root).as_posix()
                    rows.append(RawRow(name=name, image=image, label=folder.name, split=split))
        if not rows:
            raise InputError(explain_empty(root))
        if empty:
            notes.append(f"folders without images were left out: {list_some(empty)}")
        notes += note_left_out(
            root,
            [row.image for row in rows if isinstance(row.image, Path)],
            why="lie beside the class folders",
            remedy="move them into the folder of their class",
        )
        return RawDataset(
            title=self.source.title or root.name,
            source=f"local folder {root.name}",
            licence=self.source.licence,
            rows=rows,
            classes=sorted({row.label for row in rows}, key=natural_key),
            notes=notes,
            fingerprint=fingerprint_folder(root),
        )


def _split_folders(root: Path) -> list[tuple[SplitName | None, Path]]:
    """(split, folder of class folders) pairs; one pair with split None where there are no splits.

    Raises:
        InputError: two folders for one split, or class folders beside split folders.
    """
    children = subfolders(root)
    named = [(SPLIT_ALIASES[c.name.lower()], c) for c in children if c.name.lower() in SPLIT_ALIASES]
    if "train" not in [split for split, _ in named]:
        return [(None, root)]
    other = [child.name for child in children if child.name.lower() not in SPLIT_ALIASES]
    if any(find_images(root / name) for name in other):
        raise InputError(
            f"{root} has both split folders ({', '.join(c.name for _, c in named)}) and others with images "
            f"({list_some(other)}). Move the others away, or below train/."
        )
    splits = [split for split, _ in named]
    for split, child in named:
        if splits.count(split) > 1:
            twins = ", ".join(c.name for s, c in named if s == split)
            raise InputError(
                f"{root} has several folders for {split}: {twins}. Keep one (not {child.name!r}?)."
            )
    return list(named)


def _unwrap_split(folder: Path, classes: set[str]) -> Path:
    """`train/train` is a wrapped `train`; a `test` with one class, which train has as well, wraps nothing."""
    inner = subfolders(folder)
    if len(inner) != 1 or (inner[0].name in classes and inner[0].name.lower() not in SPLIT_ALIASES):
        return folder
    is_wrapped = bool(subfolders(inner[0])) and not images_within(folder)
    return unwrap(inner[0]) if is_wrapped else folder


def _say_unwrapped(root: Path, outer: Path, inner: Path) -> list[str]:
    if outer == inner:
        return []
    shown = "the folder" if outer == root else f"{outer.relative_to(root).as_posix()}/"
    return [f"{shown} holds one folder only, so classes were read from {inner.relative_to(root).as_posix()}/"]


def explain_empty(root: Path) -> str:
    """Why no class folder with images was found below `root`, and where images are expected."""
    files = find_files(root)
    images = [file for file in files if is_image(file)]
    if images:
        shown = list_some([file.relative_to(root).as_posix() for file in images], 3)
        return (
            f"{root} holds {len(images):,} images but no class folders with images: found {shown}. Put the "
            "images of each class into a folder named after the class (<class>/image.png, or "
            "train/<class>/image.png), or list them in a CSV and use `source.kind: table`."
        )
    suffixes = sorted({file.suffix.lower() or "(none)" for file in files})
    found = f"only files with the endings {list_some(suffixes)}" if files else "no files"
    return f"{root} has no images in class folders: {found}. Known: {', '.join(sorted(IMAGE_SUFFIXES))}."
