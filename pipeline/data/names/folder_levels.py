"""Which level of a folder is the splits, and which the classes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.leftovers import name_unread_tables
from pipeline.data.files.listing import (
    IMAGE_SUFFIXES,
    find_files,
    images_within,
    is_image,
    subfolders,
    unwrap,
)
from pipeline.data.names.naming import natural_key
from pipeline.data.names.split_mapping import ask, propose_flags, read_given
from pipeline.data.names.split_names import read_plainly, say
from pipeline.data.names.split_words import Place, are_folds, hinted_split, plain_split
from pipeline.settings.sources import FolderSource

ATTRIBUTE = "folder"  # what the attribute of `attribute_level` is called


MAX_CROSSED = 100  # more sub-folders are scenes or people rather than values


MIN_CROSSED = 0.75  # of the possible pairs of a folder and a sub-folder


Folders = tuple[str, ...]  # those between the root and an image, outermost first


@dataclass(frozen=True)
class Splits:
    """Which level's folders are splits (0: none), what they mean, and what there is to say about it."""

    level: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def place(self, folders: Folders) -> Place | None:
        if not self.level:
            return None
        return self.places[folders[self.level - 1]] if len(folders) >= self.level else "leave_out"

    def rest(self, folders: Folders) -> Folders:
        """The levels that say something about the label."""
        return folders[: self.level - 1] + folders[self.level :] if self.level else folders


def find_splits(root: Path, folders: Sequence[Folders], source: FolderSource) -> Splits:
    """Which folders are splits: as `source` says, else where their names leave no doubt.

    Raises:
        InputError: names that look like splits and are not plain, with the mapping to write.
    """
    level = source.split_level
    if level == 0:
        return Splits()
    if source.splits is not None or level is not None:
        level = level or 1
        counts = _names_at(folders, level)
        what = f"level {level} of {root}" if level > 1 else str(root)
        if source.splits is not None:
            return Splits(level, read_given(source.splits, counts, what, level=level))
        places, why = read_plainly(counts, has_numbers=False)
        if why:
            raise ask(what, counts, why, level=level)
        return Splits(level, places, say("folders", places))
    counts = _names_at(folders, 1)
    if are_folds(counts):
        raise ask(str(root), counts, "numbered parts do not say which one is tested on")
    looks = [name for name in counts if hinted_split(name)]
    if not looks:
        return _inner_splits(root, folders)
    flat = [
        name for name in counts if not any(f[0] == name and f[1:] not in ((), (name,)) for f in folders if f)
    ]
    if len(looks) == 1 < len(counts) and looks[0] in flat and set(flat) - set(looks):
        others = list_some([name for name in flat if name not in looks])
        note = (
            f"the folder {looks[0]} is taken for a class like {others}: it holds images and no class folders"
        )
        return Splits(notes=[note])
    places, why = read_plainly(counts, has_numbers=False)
    if not why and (twins := [p for p, n in Counter(places.values()).items() if n > 1]):
        names = [name for name in places if places[name] == twins[0]]
        why = f"several folders for {twins[0]}: {', '.join(names)}"
    if not why and (bare := [name for name in looks if name in flat]):
        why = f"images lie in {bare[0]}/ without class folders, so that nothing says their classes"
    if why and len(flat) == len(counts) == len(looks):
        raise InputError(f"{explain_empty(root)} If {list_some(looks)} are classes: --no-split.")
    if why:
        raise ask(str(root), counts, why, without_classes=flat if len(flat) < len(counts) else [])
    return Splits(1, places, say("folders", places))


def _inner_splits(root: Path, folders: Sequence[Folders]) -> Splits:
    """Splits inside of the class folders (cat/train, cat/test)."""
    counts = _names_at(folders, 2)
    found = {split for name in counts if (split := plain_split(name))}
    if "train" not in found or len(found) == 1:
        return Splits()
    places, why = read_plainly(counts, has_numbers=False)
    if why:
        raise ask(f"the second level of {root}", counts, why, level=2)
    return Splits(2, places, [f"the folders {', '.join(counts)} inside of the class folders are splits"])


def _names_at(folders: Sequence[Folders], level: int) -> Counter[str]:
    """Images per folder name of a level, 1 being the outermost."""
    return Counter(each[level - 1] for each in folders if len(each) >= level)


def check_not_crossed(root: Path, folders: Sequence[Folders], *, has_splits: bool) -> None:
    """Folders that all have the same sub-folders are label and attribute, in an order that only people know.

    One of them may be splits, too: years, batches.

    Raises:
        InputError: with the flags and keys of each reading.
    """
    inner: dict[str, set[str]] = defaultdict(set)
    for each in folders:
        if each:
            inner[each[0]] |= set(each[1:2])
    values = set[str]().union(*inner.values())
    n_pairs = sum(len(names) for names in inner.values())
    is_crossed = n_pairs >= MIN_CROSSED * len(inner) * len(values)
    if len(inner) < 2 or not 2 <= len(values) <= MAX_CROSSED or not is_crossed:
        return
    outer, nested = sorted(inner, key=natural_key), sorted(values, key=natural_key)
    raise InputError(
        f"the folders of {root} ({list_some(outer)}) all have the same sub-folders ({list_some(nested)}): "
        "which are the labels? Say it with flags of new-dataset, or in params.yaml, under `source`:\n"
        f"  --label-level 1 --attribute-level 2   label {outer[0]}, ...; groups by {nested[0]}, ...   "
        "(label_level: 1, attribute_level: 2)\n"
        f"  --label-level 2 --attribute-level 1   label {nested[0]}, ...; groups by {outer[0]}, ...   "
        "(label_level: 2, attribute_level: 1)\n"
        f"  --label-level 1                       label {outer[0]}, ...; the sub-folders mean nothing   "
        "(label_level: 1)"
        f"{'' if has_splits else _offer_splits(folders)}"
    )


def _offer_splits(folders: Sequence[Folders]) -> str:
    """Lines that take numbered folders (2020, batch 3) for splits; "" where there are none."""
    lines = []
    for level in (1, 2):
        counts = _names_at(folders, level)
        if all(re.search(r"\d", name) for name in counts):
            order = sorted(counts, key=natural_key)
            lines.append(f"\n  {propose_flags(counts, level)}   {list_some(order)} are splits")
    return "".join(lines)


def _wrapped_splits(root: Path, splits: Splits) -> dict[str, Folders]:
    """The folders between a split folder and its class folders, where there are any (`train/train/cat`)."""
    if splits.level != 1:
        return {}
    parents = {name: root / name for name, place in splits.places.items() if place != "leave_out"}
    trained = {
        folder.name
        for name, parent in parents.items()
        if splits.places[name] == "train"
        for folder in subfolders(unwrap(parent))
    }
    below = {name: _unwrap_split(parent, trained).relative_to(parent) for name, parent in parents.items()}
    return {name: inner.parts for name, inner in below.items() if inner.parts}


def _unwrap_split(folder: Path, classes: set[str]) -> Path:
    """`train/train` is a wrapped `train`; a `test` with one class, which train has as well, wraps nothing."""
    inner = subfolders(folder)
    if len(inner) != 1 or (inner[0].name in classes and plain_split(inner[0].name) is None):
        return folder
    is_wrapped = bool(subfolders(inner[0])) and not images_within(folder)
    return unwrap(inner[0]) if is_wrapped else folder


def explain_empty(root: Path) -> str:
    """Why no class folder with images was found below `root`, and where images are expected."""
    files = find_files(root)
    images = [file for file in files if is_image(file)]
    if images:
        shown = list_some([file.relative_to(root).as_posix() for file in images], 3)
        return (
            f"{root} holds {len(images):,} images but no class folders with images: found {shown}. Put the "
            "images of each class into a folder named after the class (<class>/image.png, or "
            f"train/<class>/image.png), or list them in a CSV and use `source.kind: table`."
            f"{name_unread_tables(root)}"
        )
    suffixes = sorted({file.suffix.lower() or "(none)" for file in files})
    found = f"only files with the endings {list_some(suffixes)}" if files else "no files"
    return f"{root} has no images in class folders: {found}. Known: {', '.join(sorted(IMAGE_SUFFIXES))}."
