"""A CSV or Parquet table that lists image files with label and, optionally, split and attributes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.fetch.checksums import md5_of
from pipeline.data.files.leftovers import note_left_out
from pipeline.data.files.listing import find_files
from pipeline.data.files.read_table import read_table
from pipeline.data.files.table_files import FileIndex, find_listed, match_masks
from pipeline.data.names.naming import natural_key
from pipeline.data.names.spelling import MISSING, find_spelling, join_spellings
from pipeline.data.names.split_mapping import ask, read_given
from pipeline.data.names.split_names import read_column, say
from pipeline.data.names.split_words import Place, looks_like_split
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import TableSource


class TableLoader:
    """Rows of the table are images; `source.columns` says which column is what."""

    def __init__(self, source: TableSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (file, column or value not usable, images missing)."""
        source = self.source
        root = Path(source.path).expanduser()
        table_path = root / source.table
        read = read_table(table_path)
        table, notes = read.cells, list(read.notes)
        self._check_columns(table)
        columns = source.columns
        base = root / source.images
        index = FileIndex(base)
        places = self._splits(table, notes)
        is_kept = [place != "leave_out" for place in places]
        unused = [index.path(name) for name in table.loc[[not kept for kept in is_kept], columns.file]]
        table = table[is_kept]
        images, more = find_listed(
            base,
            list(table[columns.file]),
            what="images",
            where=f"{table_path}, column {columns.file!r}",
            key="source.images",
        )
        notes += more
        files = [index.name_of(image) for image in images]
        labels, classes = self._values(table, columns.label, source.label_names, "label_names", notes)
        attributes, values = self._attributes(table, notes)
        masks = self._masks(root, table, files, notes)
        splits = [place for place in places if place != "leave_out"]
        sources = _sources(table, columns.group_column)
        rows = [
            RawRow(file, image, label, split, attributes=attribute, mask=mask, source=source)
            for file, image, label, split, attribute, mask, source in zip(
                files, images, labels, splits, attributes, masks, sources, strict=True
            )
        ]
        return RawDataset(
            title=source.title or root.resolve().name,
            source=f"local table {source.table}",
            licence=source.licence,
            rows=rows,
            classes=classes,
            other_names=_other_names(table[columns.label], labels),
            attribute_values=values,
            checksums={source.table: f"md5:{md5_of(table_path)}"},
            notes=[*notes, *self._left_out(root, [*images, *unused], masks)],
            decided_by=[table_path],
            source_name=columns.group_column or "source",
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

    def _check_columns(self, table: pd.DataFrame) -> None:
        columns = self.source.columns
        wanted = {"file": columns.file, "label": columns.label}
        wanted |= {key: value for key, value in (("split", columns.split), ("mask", columns.mask)) if value}
        wanted |= {f"attributes[{i}]": name for i, name in enumerate(columns.attributes)}
        wanted |= {"group_column": columns.group_column} if columns.group_column else {}
        if columns.split in columns.attributes:
            raise InputError(
                f"column {columns.split!r} is both `columns.split` and one of `columns.attributes`: a split "
                "is no property of an image. Take it out of one."
            )
        for key, column in wanted.items():
            if column not in table:
                raise InputError(
                    f"{self.source.table} has no column {column!r}"
                    f"{did_you_mean(column, table.columns) or '.'} "
                    f"Columns found: {', '.join(map(str, table.columns))}. Set `source.columns.{key}`."
                )
            if key == "split" or key.startswith(("attributes", "group_column")):
                continue  # asked about where splits are read; a value of its own; an image by itself
            empty = table.index[table[column].str.strip() == ""]
            if len(empty):
                raise InputError(
                    f"{self.source.table}: column {column!r} is empty in {len(empty):,} rows (first: data "
                    f"row {empty[0] + 1}). Fill or remove them, or set `source.columns.{key}` to another."
                )

    def _values(
        self, table: pd.DataFrame, column: str, names: dict[str, str] | None, key: str, notes: list[str]
    ) -> tuple[list[str], list[str]]:
        """`_shown` of a column whose spellings are joined."""
        where = f"column {column!r}"
        cells = list(table[column])
        if n_empty := sum(not cell.strip() for cell in cells):
            cells = [cell if cell.strip() else MISSING for cell in cells]
            notes.append(
                f"{where}: {n_empty:,} empty cells are the value {MISSING}; fill them where it is known"
            )
        cells, more = join_spellings(cells, where, is_exact=self.source.names == "exact")
        notes += more
        return _shown(cells, names, key, where)

    def _attributes(
        self, table: pd.DataFrame, notes: list[str]
    ) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
        names = self.source.columns.attributes
        shown, values = [], {}
        for i, name in enumerate(names):
            first = self.source.attribute_names if i == 0 else None
            column, values[name] = self._values(table, name, first, "attribute_names", notes)
            shown.append(column)
        if not names:
            return [{} for _ in range(len(table))], {}
        return [dict(zip(names, row, strict=True)) for row in zip(*shown, strict=True)], values

    def _splits(self, table: pd.DataFrame, notes: list[str]) -> list[Place] | list[None]:
        column, used = self.source.columns.split, self.source.columns
        if column is None:
            free = [c for c in table.columns if c not in (used.file, used.label, *used.attributes)]
            unused = [c for c in free if looks_like_split(c, table[c].unique())]
            if unused:
                notes.append(f"no split is used, though column {list_some(unused)} looks like one")
            return [None] * len(table)
        counts, what = Counter(table[column]), f"{self.source.table}: column {column!r}"
        places, why = read_column(column, counts)
        if self.source.splits is not None:
            places = read_given(self.source.splits, counts, what, column=column)
        elif why:
            raise ask(what, counts, why, column=column)
        notes += say(what, places)
        return [places[value] for value in table[column]]

    def _masks(
        self, root: Path, table: pd.DataFrame, files: list[str], notes: list[str]
    ) -> list[Path] | list[None]:
        column, folder = self.source.columns.mask, self.source.masks
        if column is None and folder is None:
            return [None] * len(files)
        base = root / (folder or ".")
        if not base.is_dir():
            raise InputError(f"source.masks = {folder!r}: {base} is not a folder.")
        if column is not None:
            where = f"column {column!r}"
            masks, more = find_listed(
                base, list(table[column]), what="masks", where=where, key="source.masks"
            )
            notes += more
            return masks
        return match_masks(base, files)


def _other_names(cells: Iterable[str], labels: Sequence[str]) -> dict[str, list[str]]:
    """What the table calls each class, where that is not what is shown."""
    found: dict[str, list[str]] = {}
    for cell, label in sorted(set(zip(cells, labels, strict=True))):
        if cell.strip() not in ("", label):
            found.setdefault(label, []).append(cell)
    return found


def _sources(table: pd.DataFrame, column: str | None) -> list[str | None]:
    if column is None:
        return [None] * len(table)
    return [value.strip() or None for value in table[column]]


def _shown(
    column: Sequence[str], names: dict[str, str] | None, key: str, where: str
) -> tuple[list[str], list[str]]:
    """Shown value per row, and the shown values in order.

    Order: that of `names` where given, else numbers as numbers and text alphabetically.

    Raises:
        InputError: `names` has a value that the column lacks, or one value twice.
    """
    found = sorted(set(column), key=lambda value: (value == MISSING, natural_key(value)))
    if not names:
        return list(column), found
    shown: dict[str, str] = {}
    for value, name in names.items():
        spelled = find_spelling(value, found)
        if spelled is None:
            raise InputError(
                f"source.{key} names the value {value!r}, which {where} does not have"
                f"{did_you_mean(value, found) or '.'} Values found: {list_some(found, 12)}."
            )
        if shown.setdefault(spelled, name) != name:
            raise InputError(
                f"source.{key} has two names for {spelled!r} ({shown[spelled]}, {name}): values that differ "
                "in case or spaces alone are one. `source.names: exact` keeps them apart."
            )
    order = [*shown.values(), *(value for value in found if value not in shown)]
    return [shown.get(value, value) for value in column], list(dict.fromkeys(order))
