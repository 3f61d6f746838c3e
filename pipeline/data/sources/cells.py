"""What a source's columns say of its images: classes, attributes, splits, and what must stay together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.types import SplitName
from pipeline.core.words import list_some
from pipeline.data.names.naming import natural_key
from pipeline.data.names.spelling import MISSING, find_spelling, join_spellings
from pipeline.data.names.split_mapping import ask, read_given
from pipeline.data.names.split_names import read_column, read_plainly, say
from pipeline.data.names.split_words import Place, hinted_split, looks_like_split
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import CellColumns, CellSource, NamedSplitsSource


@dataclass(frozen=True)
class Cells:
    """Every cell as text, a row for each image; "": not said."""

    table: pd.DataFrame
    what: str  # that has the columns, in words: "metadata.csv"
    declared: Mapping[str, Sequence[str]] = field(default_factory=dict)  # column -> its values, in order
    rows: Sequence[str] | None = None  # what each row is called in messages; None: "data row 1" ...
    split_names: Sequence[str] | None = None  # what each row's file calls its split, or ""
    split_what: str = ""  # whose names these are, in words


@dataclass(frozen=True)
class Meaning:
    """What cells say of the images that are used, and which these are."""

    is_kept: list[bool]
    labels: list[str]
    classes: list[str]  # in shown order
    splits: list[SplitName | None]
    attributes: list[dict[str, str]]
    attribute_values: dict[str, list[str]]
    sources: list[str | None]
    other_names: dict[str, list[str]]
    notes: list[str]

    def row(self, i: int, name: str, **images: object) -> RawRow:
        """The `i`-th kept image."""
        return RawRow(
            name=name,
            label=self.labels[i],
            split=self.splits[i],
            attributes=self.attributes[i],
            source=self.sources[i],
            **images,  # type: ignore[arg-type]
        )

    @property
    def kept(self) -> list[int]:
        """Positions of the images that are used."""
        return [i for i, is_kept in enumerate(self.is_kept) if is_kept]

    def dataset(self, settings: CellSource, rows: list[RawRow], **said: Any) -> RawDataset:
        """All of it; `said` is what a loader knows besides: title, source, notes, the files it is of."""
        said["notes"] = [*self.notes, *said.get("notes", ())]
        if settings.title is not None:
            said["title"] = settings.title
        return RawDataset(
            rows=rows,
            licence=settings.licence,
            classes=self.classes,
            other_names=self.other_names,
            attribute_values=self.attribute_values,
            source_name=settings.columns.group_column or "source",
            **said,
        )


def check_columns(cells: Cells, wanted: Mapping[str, str]) -> None:
    """Refuse columns that are not there.

    Args:
        wanted: key below `source.columns` -> column.

    Raises:
        InputError: with the columns that are.
    """
    for key, column in wanted.items():
        if column not in cells.table:
            raise InputError(
                f"{cells.what} has no column {column!r}"
                f"{did_you_mean(column, cells.table.columns) or '.'} "
                f"Columns found: {', '.join(map(str, cells.table.columns))}. Set `source.columns.{key}`."
            )


def check_filled(cells: Cells, table: pd.DataFrame, key: str, column: str) -> None:
    """Refuse empty cells in the rows of `table`, which are among those of `cells`.

    Raises:
        InputError: with their number and the first.
    """
    empty = table.index[table[column].str.strip() == ""]
    if not len(empty):
        return
    first = f"data row {empty[0] + 1}" if cells.rows is None else cells.rows[empty[0]]
    split = ", leave their split out (`source.splits`, --split leave_out=...)" if key == "label" else ""
    raise InputError(
        f"{cells.what}: column {column!r} is empty in {len(empty):,} rows (first: {first}). Fill or remove "
        f"them{split}, or set `source.columns.{key}` to another."
    )


def wanted_columns(columns: CellColumns, label: str) -> dict[str, str]:
    """Key below `source.columns` -> column, of those that every such source may have."""
    wanted = {"label": label} | ({"split": columns.split} if columns.split else {})
    wanted |= {f"attributes[{i}]": name for i, name in enumerate(columns.attributes)}
    return wanted | ({"group_column": columns.group_column} if columns.group_column else {})


def read_meaning(cells: Cells, source: CellSource, *, label: str, used: Sequence[str] = ()) -> Meaning:
    """Labels, attributes and splits of a source's images.

    Args:
        label: the column of labels.
        used: columns that are something else, such as the image.

    Raises:
        InputError: a column that is not there, empty labels, or names that are not plain.
    """
    columns, notes = source.columns, list[str]()
    check_columns(cells, wanted_columns(columns, label))
    if columns.split in columns.attributes:
        raise InputError(
            f"column {columns.split!r} is both `columns.split` and one of `columns.attributes`: a split "
            "is no property of an image. Take it out of one."
        )
    places = _splits(cells, source, [*used, label], notes)
    is_kept = [place != "leave_out" for place in places]
    table = cells.table[is_kept]
    check_filled(cells, table, "label", label)
    labels, classes = _values(cells, table, label, source, source.label_names, "label_names", notes)
    attributes, values = _attributes(cells, table, source, notes)
    return Meaning(
        is_kept=is_kept,
        labels=labels,
        classes=classes,
        splits=[place for place in places if place != "leave_out"],
        attributes=attributes,
        attribute_values=values,
        sources=_sources(table, columns.group_column),
        other_names=_other_names(table[label], labels),
        notes=notes,
    )


def _values(
    cells: Cells,
    table: pd.DataFrame,
    column: str,
    source: CellSource,
    names: dict[str, str] | None,
    key: str,
    notes: list[str],
) -> tuple[list[str], list[str]]:
    """`_shown` of a column whose spellings are joined, but for names that were declared."""
    where = f"column {column!r}"
    found = list(table[column])
    if n_empty := sum(not cell.strip() for cell in found):
        found = [cell if cell.strip() else MISSING for cell in found]
        notes.append(f"{where}: {n_empty:,} empty cells are the value {MISSING}; fill them where it is known")
    is_exact = source.names == "exact" or column in cells.declared
    found, more = join_spellings(found, where, is_exact=is_exact)
    notes += more
    return _shown(found, names, key, where, cells.declared.get(column, ()))


def _attributes(
    cells: Cells, table: pd.DataFrame, source: CellSource, notes: list[str]
) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
    names = source.columns.attributes
    shown, values = [], {}
    for i, name in enumerate(names):
        first = source.attribute_names if i == 0 else None
        column, values[name] = _values(cells, table, name, source, first, "attribute_names", notes)
        shown.append(column)
    if not names:
        return [{} for _ in range(len(table))], {}
    return [dict(zip(names, row, strict=True)) for row in zip(*shown, strict=True)], values


def _splits(
    cells: Cells, source: CellSource, used: Sequence[str], notes: list[str]
) -> list[Place] | list[None]:
    table, column = cells.table, source.columns.split
    if column is None:
        if (by_name := _splits_by_name(cells, source, notes)) is not None:
            return by_name
        free = [c for c in table.columns if c not in (*used, *source.columns.attributes)]
        unused = [c for c in free if looks_like_split(c, table[c].unique())]
        if unused:
            notes.append(f"no split is used, though column {list_some(unused)} looks like one")
        return [None] * len(table)
    counts, what = Counter(table[column]), f"{cells.what}: column {column!r}"
    places, why = read_column(column, counts)
    if source.splits is not None:
        places = read_given(source.splits, counts, what, column=column)
    elif why:
        raise ask(what, counts, why, column=column)
    notes += say(what, places)
    return [places[value] for value in table[column]]


def _splits_by_name(cells: Cells, source: CellSource, notes: list[str]) -> list[Place] | None:
    """Splits by the names of files, folders or arrays; None where these say none."""
    names = cells.split_names
    if names is None or not (isinstance(source, NamedSplitsSource) and source.split_by_name):
        return None
    counts = Counter(names)
    if source.splits is not None:
        places = read_given(source.splits, counts, cells.split_what)
    elif any(hinted_split(name) for name in counts):
        places, why = read_plainly(counts, has_numbers=False)
        if why:
            raise ask(cells.split_what, counts, why, is_by_name=True)
    else:
        return None
    notes += say(cells.split_what, places)
    return [places[name] for name in names]


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
    column: Sequence[str], names: dict[str, str] | None, key: str, where: str, declared: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Shown value per row, and the shown values in order.

    Order: that of `names` where given, else as declared, else numbers as numbers and text alphabetically.

    Raises:
        InputError: `names` has a value that the column lacks, or one value twice.
    """
    place = {name: i for i, name in enumerate(declared)}
    found = sorted(
        set(column), key=lambda value: (value == MISSING, place.get(value, len(place)), natural_key(value))
    )
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
