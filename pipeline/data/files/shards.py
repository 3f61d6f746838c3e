"""Files that hold many images each: which there are, and which split each one's name says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.listing import find_files
from pipeline.data.names.split_words import hinted_split, plain_split

# "-00000-of-00002", with a digest as `datasets` once wrote it, or "_0001"
_NUMBER = re.compile(r"([-_.]?\d+-of-\d+(-[0-9a-f]{6,})?|[-_.]?\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Shard:
    path: Path
    name: str  # below the source's folder
    split: str  # what its name, or that of the folder that it lies in, calls the split; "": nothing


def find_shards(path: Path, suffixes: Sequence[str]) -> list[Shard]:
    """The file, or every file of these endings below the folder, in order.

    Raises:
        InputError: there is none.
    """
    if path.is_file():
        files, root = [path], path.parent
    elif path.is_dir():
        files, root = [file for file in find_files(path) if file.name.lower().endswith(tuple(suffixes))], path
    else:
        raise InputError(f"source.path = {str(path)!r} does not exist.")
    if not files:
        raise InputError(f"{path} holds no file that ends in {list_some(suffixes)}. Correct `source.path`.")
    names = [file.relative_to(root).as_posix() for file in files]
    splits = _plain([_split_name(name, suffixes) for name in names])
    return [Shard(*each) for each in zip(files, names, splits, strict=True)]


def _split_name(name: str, suffixes: Sequence[str]) -> str:
    """What says a split in a shard's name, else in the nearest folder's; else its name without a number."""
    *folders, file = name.split("/")
    stem = next((file[: -len(s)] for s in suffixes if file.lower().endswith(s)), file)
    own = _NUMBER.sub("", stem)
    return next((part for part in [own, *reversed(folders)] if hinted_split(part)), own)


def _plain(names: Sequence[str]) -> list[str]:
    """Names without what all of them have beside the split: "birds-train" and "birds-test"."""
    words = {name: re.split(r"[\W_]+", name) for name in names}
    said = {name: [word for word in parts if plain_split(word)] for name, parts in words.items()}
    rest = {tuple(word for word in parts if not plain_split(word)) for parts in words.values()}
    if len(rest) > 1 or any(len(found) != 1 for found in said.values()):
        return list(names)
    return [said[name][0] for name in names]
