"""Images with `metadata.csv`, `.jsonl` or `.parquet` beside them: Hugging Face's `imagefolder`."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.leftovers import note_left_out
from pipeline.data.files.listing import find_files
from pipeline.data.files.read_table import read_table
from pipeline.data.files.table_files import FileIndex, find_listed
from pipeline.data.names.split_words import hinted_split
from pipeline.data.raw import RawDataset
from pipeline.data.sources.cells import Cells, check_columns, check_filled, read_meaning, wanted_columns
from pipeline.settings.sources import ImageFolderSource

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FOLDER = "(folder)"  # the column of labels where the metadata have none


class ImageFolderLoader:
    """Every row of the metadata is an image; folders say splits, and classes where no column does."""

    def __init__(self, source: ImageFolderSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (no metadata, column or value not usable, images missing)."""
        source, columns = self.source, self.source.columns
        root = Path(source.path).expanduser()
        if not root.is_dir():
            raise InputError(f"source.path = {source.path!r} is not a folder.")
        files = find_metadata(root)
        table, notes = _read_all(root, files, source)
        parts = [PurePosixPath(name).parts[:-1] for name in table[columns.file]]
        split_names, rests = read_folders(parts)
        label = columns.label or FOLDER
        if columns.label is None:
            table[FOLDER] = [rest[-1] if rest else "" for rest in rests]
        names = list(table[columns.file])
        cells = Cells(table, "the metadata", {}, names, split_names, "the naming of folders")
        if columns.label is None:
            _check_folders(cells, root)
        meaning = read_meaning(cells, source, label=label, used=[columns.file])
        index = FileIndex(root)
        where = f"{list_some([str(file) for file in files])}, column {columns.file!r}"
        listed = [name for name, is_kept in zip(names, meaning.is_kept, strict=True) if is_kept]
        images, more = find_listed(root, listed, what="images", where=where, key="source.path")
        unused = [
            index.path(name) for name, is_kept in zip(names, meaning.is_kept, strict=True) if not is_kept
        ]
        left_out = note_left_out(
            Path(os.path.normpath(root)),
            [*images, *unused],
            why="not listed in the metadata",
            remedy="add a row for each",
        )
        return meaning.dataset(
            source,
            [meaning.row(i, index.name_of(image), image=image) for i, image in enumerate(images)],
            title=root.resolve().name,
            source=f"local imagefolder {root.name}",
            notes=[*notes, *more, *left_out],
            decided_by=files,
        )


def find_metadata(root: Path) -> list[Path]:
    """Every metadata file below a folder.

    Raises:
        InputError: none, or several in one folder.
    """
    files = [file for file in find_files(root) if file.name.lower() in METADATA]
    if not files:
        raise InputError(f"{root} holds no {list_some(METADATA)}, nor do its folders. Correct `source.path`.")
    twice = [folder for folder, n in Counter(file.parent for file in files).items() if n > 1]
    if twice:
        both = [file.name for file in files if file.parent == twice[0]]
        raise InputError(f"{twice[0]} holds {' and '.join(both)}: which one counts? Move the others away.")
    return files


def _read_all(root: Path, files: Sequence[Path], source: ImageFolderSource) -> tuple[pd.DataFrame, list[str]]:
    """All rows, their images named from the root on, and notes."""
    column = source.columns.file
    wanted = {"file": column} | (wanted_columns(source.columns, source.columns.label or column))
    tables, notes = [], []
    for file in files:
        read = read_table(file)
        cells = Cells(read.cells, str(file))
        check_columns(cells, wanted)
        check_filled(cells, read.cells, "file", column)
        folder = file.parent.relative_to(root).as_posix()
        table = read.cells.copy()
        table[column] = [name_below(root, folder, name, file) for name in table[column]]
        tables.append(table)
        notes += read.notes
    return pd.concat(tables, ignore_index=True).fillna(""), notes


def name_below(root: Path, folder: str, name: str, file: Path) -> str:
    """A name from the root on.

    Raises:
        InputError: it leaves the root.
    """
    whole = os.path.normpath(os.path.join(folder, name.replace("\\", "/")))
    if os.path.isabs(whole) or whole.split(os.sep)[0] == os.pardir:
        raise InputError(
            f"{file} names {name!r}, which is not below {root}: names are relative to the metadata's folder. "
            "Correct it, or put the image there."
        )
    return whole.replace(os.sep, "/")


def read_folders(parts: Sequence[tuple[str, ...]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Of each image the folder that may say its split, and the folders below that."""
    levels = zip(*parts, strict=False)
    shared = tuple(level[0] for level in itertools.takewhile(lambda level: len(set(level)) == 1, levels))
    rests = [each[len(shared) :] for each in parts]
    said = next((folder for folder in reversed(shared) if hinted_split(folder)), "")
    if said or not any(rest and hinted_split(rest[0]) for rest in rests):
        inner = shared[shared.index(said) + 1 :] if said else shared
        return [said] * len(parts), [(*inner, *rest) for rest in rests]
    return [rest[0] if rest else "" for rest in rests], [rest[1:] for rest in rests]


def _check_folders(cells: Cells, root: Path) -> None:
    """Refuse images that lie in no class folder where folders are to say the classes.

    Raises:
        InputError: with the columns that could.
    """
    bare = [name for name, label in zip(cells.rows or (), cells.table[FOLDER], strict=True) if not label]
    if bare:
        raise InputError(
            f"`source.columns.label` is not set, and {len(bare):,} images below {root} lie in no class "
            f"folder: {list_some(bare)}. Name the column of labels: "
            f"{', '.join(c for c in cells.table.columns if c != FOLDER)} (new-dataset: --label-column)."
        )
