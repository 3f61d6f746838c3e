"""A CSV or Parquet table that lists image files with label and, optionally, split and attributes."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.settings import TableSource, did_you_mean
from pipeline.data.base import RawDataset, RawRow
from pipeline.data.checksums import md5_of
from pipeline.data.leftovers import note_left_out
from pipeline.data.listing import find_files, fingerprint_folder
from pipeline.data.naming import list_some, natural_key
from pipeline.data.split_names import Place, ask, read_column, read_given, say


class TableLoader:
    """Rows of the table are images; `source.columns` says which column is what."""

    def __init__(self, source: TableSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (file, column or value not usable, images missing)."""
        source = self.source
        root = Path(source.path).expanduser()
        table_path = root / source.table
        table = read_table(table_path)
        self._check_columns(table)
        columns = source.columns
        files = [name.replace("\\", "/") for name in table[columns.file]]
        images = [root / source.images / name for name in files]
        _check_exist(images, files, "images", f"{table_path}, column {columns.file!r}", "source.images")
        labels, classes = _shown(table[columns.label], source.label_names, "label_names")
        attributes, values = self._attributes(table)
        masks = self._masks(root, table, files)
        places, notes = self._splits(table)
        sources = _sources(table, columns.group_column)
        rows = [
            RawRow(file, image, label, place, attributes=attribute, mask=mask, source=source)
            for file, image, label, place, attribute, mask, source in zip(
                files, images, labels, places, attributes, masks, sources, strict=True
            )
            if place != "leave_out"
        ]
        return RawDataset(
            title=source.title or root.resolve().name,
            source=f"local table {source.table}",
            licence=source.licence,
            rows=rows,
            classes=classes,
            attribute_values=values,
            checksums={source.table: f"md5:{md5_of(table_path)}"},
            notes=[*notes, *self._left_out(root, images, [mask for mask in masks if mask is not None])],
            fingerprint=fingerprint_folder(root),
            source_name=columns.group_column or "source",
        )

    def _left_out(self, root: Path, images: list[Path], masks: list[Path]) -> list[str]:
        every_mask = [*masks, *(find_files(root / self.source.masks) if self.source.masks else [])]
        return note_left_out(
            Path(os.path.normpath(root / self.source.images)),
            [Path(os.path.normpath(file)) for file in (*images, *every_mask)],
            why=f"are not listed in {self.source.table}",
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
            if key == "split":
                continue  # what no split means is asked where the splits are read
            empty = table.index[table[column].str.strip() == ""]
            if len(empty) and key != "group_column":  # an image without a scene stands for itself
                raise InputError(
                    f"{self.source.table}: column {column!r} is empty in {len(empty):,} rows (first: data "
                    f"row {empty[0] + 1}). Fill or remove them, or set `source.columns.{key}` to another."
                )

    def _attributes(self, table: pd.DataFrame) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
        names = self.source.columns.attributes
        shown, values = [], {}
        for i, name in enumerate(names):
            column, values[name] = _shown(
                table[name], self.source.attribute_names if i == 0 else None, "attribute_names"
            )
            shown.append(column)
        if not names:
            return [{} for _ in range(len(table))], {}
        return [dict(zip(names, row, strict=True)) for row in zip(*shown, strict=True)], values

    def _splits(self, table: pd.DataFrame) -> tuple[list[Place] | list[None], list[str]]:
        """The place of every row, and what was read into it."""
        column = self.source.columns.split
        if column is None:
            return [None] * len(table), []
        counts, what = Counter(table[column]), f"{self.source.table}: column {column!r}"
        places, why = read_column(column, counts)
        if self.source.splits is not None:
            places = read_given(self.source.splits, counts, what, column=column)
        elif why:
            raise ask(what, counts, why, column=column)
        return [places[value] for value in table[column]], say(what, places)

    def _masks(self, root: Path, table: pd.DataFrame, files: list[str]) -> list[Path] | list[None]:
        column, folder = self.source.columns.mask, self.source.masks
        if column is None and folder is None:
            return [None] * len(files)
        base = root / (folder or ".")
        if not base.is_dir():
            raise InputError(f"source.masks = {folder!r}: {base} is not a folder.")
        if column is not None:
            masks = [base / name.replace("\\", "/") for name in table[column]]
            _check_exist(masks, files, "masks", f"column {column!r}", "source.masks")
            return masks
        return match_masks(base, files)


def _sources(table: pd.DataFrame, column: str | None) -> list[str | None]:
    if column is None:
        return [None] * len(table)
    return [value.strip() or None for value in table[column]]


def read_table(path: Path) -> pd.DataFrame:
    """A table with every cell as text, so that "007" and "NA" stay what they are.

    Raises:
        InputError: missing, empty, or neither CSV/TSV nor Parquet.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist. Set `source.path` to its folder and `source.table` to its name."
        )
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pd.read_parquet(path)
            table = table.apply(_as_text)
        else:
            separator = _separator(path)
            table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise InputError(
            f"{path} cannot be read as a table ({error}). Use CSV (UTF-8) or Parquet."
        ) from error
    if table.empty:
        raise InputError(f"{path} has no rows.")
    table.columns = [str(column).strip() for column in table.columns]
    return table.reset_index(drop=True)


def _as_text(column: pd.Series[Any]) -> pd.Series[str]:
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")  # an integer column with gaps: "1", not "1.0"
    return column.astype("string").fillna("").astype(str)


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return max(",;\t|", key=header.count)


def _shown(column: pd.Series[str], names: dict[str, str] | None, key: str) -> tuple[list[str], list[str]]:
    """Shown value per row, and the shown values in order.

    Order: that of `names` where given, else numbers as numbers and text alphabetically.
    """
    found = sorted(map(str, column.unique()), key=natural_key)
    if not names:
        return list(column), found
    for value in names:
        if value not in found:
            raise InputError(
                f"source.{key} names the value {value!r}, which column {column.name!r} does not have"
                f"{did_you_mean(value, found) or '.'} Values found: {list_some(found, 12)}."
            )
    order = [*names.values(), *(value for value in found if value not in names)]
    return [names.get(value, value) for value in column], list(dict.fromkeys(order))


def match_masks(base: Path, files: list[str]) -> list[Path]:
    """For each image name the file of the same path below `base`, whatever its ending.

    Raises:
        InputError: with the count and first names of images without a mask.
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in find_files(base):
        by_stem[_stem(path.relative_to(base).as_posix())].append(path)
    found = [by_stem.get(_stem(os.path.normpath(file)), []) for file in files]
    missing = [file for file, masks in zip(files, found, strict=True) if not masks]
    if missing:
        raise InputError(
            f"{len(missing):,} of {len(files):,} images have no mask below {base}: {list_some(missing)}. A "
            "mask has the image's path with any ending. Add them, or remove `source.masks`."
        )
    # With both x.jpg and x.png there, the lossless file is the mask.
    return [min(masks, key=lambda path: (path.suffix.lower() != ".png", path.name)) for masks in found]


def _stem(name: str) -> str:
    return os.path.splitext(name.replace("\\", "/"))[0]


def _check_exist(paths: list[Path], names: list[str], what: str, where: str, key: str) -> None:
    missing = [name for name, path in zip(names, paths, strict=True) if not path.is_file()]
    if missing:
        example = paths[names.index(missing[0])]
        raise InputError(
            f"{len(missing):,} of {len(paths):,} {what} named in {where} are missing: {list_some(missing)}. "
            f"Looked for {example}. Set `{key}` to the folder that the names are relative to."
        )
