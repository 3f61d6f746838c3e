"""A table (CSV, JSON lines, Parquet) of image files with label and, optionally, split and attributes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.data.fetch.checksums import md5_of
from pipeline.data.files.leftovers import note_left_out
from pipeline.data.files.listing import find_files
from pipeline.data.files.read_table import read_table
from pipeline.data.files.table_files import FileIndex, find_listed, match_masks
from pipeline.data.raw import RawDataset
from pipeline.data.sources.cells import Cells, check_columns, check_filled, read_meaning
from pipeline.settings.sources import TableSource


class TableLoader:
    """Rows of the table are images; `source.columns` says which column is what."""

    def __init__(self, source: TableSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (file, column or value not usable, images missing)."""
        source, columns = self.source, self.source.columns
        root = Path(source.path).expanduser()
        table_path = root / source.table
        read = read_table(table_path)
        cells = Cells(read.cells, source.table)
        self._check_files(cells)
        meaning = read_meaning(cells, source, label=columns.label, used=[columns.file])
        base = root / source.images
        index = FileIndex(base)
        unused = [
            index.path(name) for name in read.cells.loc[[not kept for kept in meaning.is_kept], columns.file]
        ]
        table = read.cells[meaning.is_kept]
        where = f"{table_path}, column {columns.file!r}"
        images, more = find_listed(
            base, list(table[columns.file]), what="images", where=where, key="source.images"
        )
        files = [index.name_of(image) for image in images]
        masks, about_masks = self._masks(root, table, files)
        rows = [
            meaning.row(i, file, image=image, mask=mask)
            for i, (file, image, mask) in enumerate(zip(files, images, masks, strict=True))
        ]
        left_out = self._left_out(root, [*images, *unused], masks)
        return meaning.dataset(
            source,
            rows,
            title=root.resolve().name,
            source=f"local table {source.table}",
            notes=[*read.notes, *more, *about_masks, *left_out],
            checksums={source.table: f"md5:{md5_of(table_path)}"},
            decided_by=[table_path],
        )

    def _left_out(self, root: Path, images: Sequence[Path], masks: Sequence[Path | None]) -> list[str]:
        every_mask = [
            *(mask for mask in masks if mask is not None),
            *(find_files(root / self.source.masks) if self.source.masks else []),
        ]
        return note_left_out(
            Path(os.path.normpath(root / self.source.images)),
            [*images, *(Path(os.path.normpath(mask)) for mask in every_mask)],
            why=f"not listed in {self.source.table}",
            remedy="add a row for each",
        )

    def _check_files(self, cells: Cells) -> None:
        columns = self.source.columns
        files = {"file": columns.file} | ({"mask": columns.mask} if columns.mask else {})
        check_columns(cells, files)
        for key, column in files.items():
            check_filled(cells, cells.table, key, column)

    def _masks(
        self, root: Path, table: pd.DataFrame, files: list[str]
    ) -> tuple[list[Path] | list[None], list[str]]:
        """The mask of each image, and notes."""
        column, folder = self.source.columns.mask, self.source.masks
        if column is None and folder is None:
            return [None] * len(files), []
        base = root / (folder or ".")
        if not base.is_dir():
            raise InputError(f"source.masks = {folder!r}: {base} is not a folder.")
        if column is not None:
            where = f"column {column!r}"
            return find_listed(base, list(table[column]), what="masks", where=where, key="source.masks")
        return match_masks(base, files), []
