"""A folder of class folders, optionally below or above train/, val/ and test/, optionally with attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.leftovers import name_unread_tables, note_left_out
from pipeline.data.files.listing import (
    find_images,
    subfolders,
    unwrap,
)
from pipeline.data.names.folder_levels import (
    ATTRIBUTE,
    Folders,
    Splits,
    _wrapped_splits,
    check_not_crossed,
    explain_empty,
    find_splits,
)
from pipeline.data.names.naming import natural_key
from pipeline.data.names.spelling import MISSING, join_spellings
from pipeline.data.names.split_words import Place
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.sources import FolderSource


class FolderLoader:
    """Every image below a class folder belongs to that class."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (no such folder, no class folders, no images, or unclear what they mean)."""
        source = self.source
        root = Path(source.path).expanduser()
        if not root.is_dir():
            raise InputError(f"source.path = {source.path!r} is not a folder.")
        inner = unwrap(root)
        images = find_images(inner)
        folders = [image.relative_to(inner).parts[:-1] for image in images]
        splits = find_splits(inner, folders, source)
        wrapped = _wrapped_splits(inner, splits)
        rests = [splits.rest(each)[len(wrapped.get(each[0], ())) if each else 0 :] for each in folders]
        if source.label_level is None:
            check_not_crossed(root, rests, has_splits=splits.level > 0)
        places = [splits.place(each) for each in folders]
        rows, notes = self._rows(root, images, places, rests)
        if not rows:
            raise InputError(explain_empty(root))
        if len(labels := {row.label for row in rows}) == 1 and (unread := name_unread_tables(root)):
            raise InputError(f"{root} holds one folder of images only ({labels.pop()}), no classes.{unread}")
        return RawDataset(
            title=source.title or root.name,
            source=f"local folder {root.name}",
            licence=source.licence,
            rows=rows,
            classes=sorted({row.label for row in rows}, key=natural_key),
            notes=[
                *_say_unwrapped(root, inner, wrapped),
                *splits.notes,
                *notes,
                *_empty_folders(inner, folders),
                *_left_out(root, images, folders, splits, rows),
            ],
            decided_by=[],
            is_listing=True,
        )

    def _rows(
        self, root: Path, images: Sequence[Path], places: Sequence[Place | None], rests: Sequence[Folders]
    ) -> tuple[list[RawRow], list[str]]:
        """The images that are in a class, and notes on joined names.

        Args:
            rests: of each image, the folders that say something about its label.
        """
        source = self.source
        label_level, is_exact = source.label_level or 1, source.names == "exact"
        kept = [i for i, p in enumerate(places) if p != "leave_out" and len(rests[i]) >= label_level]
        labels, notes = join_spellings(
            [rests[i][label_level - 1] for i in kept], "class folders", is_exact=is_exact
        )
        attributes: list[dict[str, str]] = [{} for _ in kept]
        if source.attribute_level is not None:
            level = source.attribute_level
            values = [rests[i][level - 1] if len(rests[i]) >= level else MISSING for i in kept]
            values, more = join_spellings(values, f"folders of level {level}", is_exact=is_exact)
            attributes, notes = [{ATTRIBUTE: value} for value in values], [*notes, *more]
        rows = [
            RawRow(
                name=images[i].relative_to(root).as_posix(),
                image=images[i],
                label=label,
                split=None if (place := places[i]) == "leave_out" else place,
                attributes=attribute,
            )
            for i, label, attribute in zip(kept, labels, attributes, strict=True)
        ]
        return rows, notes


def _say_unwrapped(root: Path, inner: Path, wrapped: Mapping[str, Folders]) -> list[str]:
    said, path = "holds one folder only, so classes were read from", inner.relative_to(root)
    notes = [f"the folder {said} {path.as_posix()}/"] if inner != root else []
    return notes + [
        f"{name}/ {said} {path.joinpath(name, *below).as_posix()}/" for name, below in wrapped.items()
    ]


def _left_out(
    root: Path, images: Sequence[Path], folders: Sequence[Folders], splits: Splits, rows: Sequence[RawRow]
) -> list[str]:
    """Notes on images that are in no split, and on those that are in no class."""
    unused = {
        image: each[splits.level - 1]
        for image, each in zip(images, folders, strict=True)
        if splits.place(each) == "leave_out" and len(each) >= splits.level
    }
    notes = [
        f"{n:,} images left out: the folder {name} is in no split"
        for name, n in Counter(unused.values()).items()
    ]
    return notes + note_left_out(
        root,
        [*unused, *(row.image for row in rows if isinstance(row.image, Path))],
        why="beside the class folders",
        remedy="move them into the folder of their class",
    )


def _empty_folders(root: Path, folders: Sequence[Folders]) -> list[str]:
    """A note on folders without images, of the first two levels."""
    filled = {each[:depth] for each in folders for depth in (1, 2)}
    parents = [root, *subfolders(root)]
    children = [child.relative_to(root) for parent in parents for child in subfolders(parent)]
    empty = [
        child.as_posix()
        for child in children
        if child.parts not in filled and (len(child.parts) == 1 or child.parts[:1] in filled)
    ]
    return [f"folders without images were left out: {list_some(empty)}"] if empty else []
