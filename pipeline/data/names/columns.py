"""Which column of a table is what, guessed from names and cells."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.data.files.listing import is_image, subfolders
from pipeline.data.files.table_files import FileIndex
from pipeline.data.names.spelling import spelling_key
from pipeline.data.names.split_mapping import ask
from pipeline.data.names.split_names import read_column
from pipeline.data.names.split_words import clean as split_key
from pipeline.data.names.split_words import looks_like_split
from pipeline.data.scenes import guess_group_column
from pipeline.settings.parsing import did_you_mean

FILE_WORDS = (
    "img_filename",
    "file",
    "filename",
    "file_name",
    "filepath",
    "path",
    "image",
    "image_path",
    "img",
)
LABEL_WORDS = ("label", "y", "target", "class", "class_name", "category", "labels")
ATTRIBUTE_WORDS = (
    "place",
    "background",
    "attribute",
    "confounder",
    "environment",
    "env",
    "context",
    "domain",
    "a",
)
ID_WORDS = ("id", "image_id", "img_id", "image_name", "file_id", "name")  # of files without their ending
MAX_VALUES, MAX_NAMED_VALUES = 10, 20  # of a guessed attribute; of one that is named like an attribute
MAX_BLANK = 0.5
N_TRIED = 50


@dataclass(frozen=True)
class Columns:
    """Roles of a table's columns: those that the user gave, and guesses for the others (None: none)."""

    file: str | None  # None: images are beside the columns
    images: str  # the folder that file names are relative to
    label: str
    split: str | None
    attributes: list[str]
    group_column: str | None
    passed_over: dict[str, str]  # column -> why it is no attribute


@dataclass(frozen=True)
class Given:
    """What the user says; None: to be guessed."""

    file: str | None = None
    label: str | None = None
    split: str | None = None
    attributes: Sequence[str] | None = None
    group_column: str | None = None  # "": none
    splits: Mapping[str, Sequence[str]] | None = None
    has_split: bool = True  # False: no column is a split, whatever its name


def guess_columns(table: pd.DataFrame, root: Path, given: Given) -> Columns:
    """Every column's role.

    Args:
        table: cells as text.
        root: the table's folder.

    Raises:
        InputError: an unknown column, no files, no label, or a split that is not plain.
    """
    check_known(table, given)
    file, images = _guess_files(table, root, given.file)
    return guess_roles(table, given, file=file, images=images)


def check_known(table: pd.DataFrame, given: Given) -> None:
    """Refuse columns that the user names and the table lacks.

    Raises:
        InputError: with those that it has.
    """
    named = (given.file, given.label, given.split, given.group_column, *(given.attributes or ()))
    unknown = next((column for column in named if column and column not in table), None)
    if unknown:
        raise InputError(
            f"the table has no column {unknown!r}{did_you_mean(unknown, table.columns) or '.'} "
            f"Columns found: {', '.join(table.columns)}."
        )


def guess_roles(
    table: pd.DataFrame, given: Given, *, file: str | None = None, images: str = ".", label: str | None = None
) -> Columns:
    """`guess_columns` where it is known which column names the images.

    Args:
        file: that column; None: there is none, images are beside the columns.
        images: the folder that file names are relative to.
        label: the column of labels, where the source says it and the user does not.

    Raises:
        InputError: no label, or a split that is not plain.
    """
    named = (given.file, given.label, given.split, given.group_column, *(given.attributes or ()))
    like_split = [c for c in table.columns if c != file and looks_like_split(c, table[c].unique())]
    label = given.label or label or _guess_label(table, file=file, like_split=like_split, taken=set(named))
    like_split = [column for column in like_split if column != label]
    split = given.split
    asked = [c for c in given.attributes or () if c in like_split]
    if asked and given.has_split and split is None:
        raise InputError(
            f"--attribute-column {asked[0]}: the column looks like a split, and groups are not made of what "
            "was held out. Leave it out, or add --no-split (or --split-column OTHER) if it is no split."
        )
    if not given.has_split:
        split = None
    elif split is None:
        split = _guess_split(
            table, [c for c in like_split if c not in (given.attributes or ())], given.splits
        )
    group_column = given.group_column
    if group_column is None:
        taken = {file, split, label, *like_split, *(given.attributes or ())}
        group_column = guess_group_column(table, taken)
    attributes, passed_over = _guess_attributes(
        table, label=label, taken={file, split, label, group_column}, like_split=like_split
    )
    if given.attributes is not None:
        attributes, passed_over = list(given.attributes), {}
    return Columns(file, images, label, split, attributes, group_column or None, passed_over)


def check_twins(found: Columns, table: pd.DataFrame, given: Given) -> None:
    """Refuse to guess between columns whose names differ in case, spaces or Unicode form alone.

    Raises:
        InputError: with the flags to choose by.
    """
    said = {given.file, given.label, given.split, given.group_column, *(given.attributes or ())}
    guessed = {
        "--file-column": found.file,
        "--label-column": found.label,
        "--split-column": found.split,
        "--attribute-column": next(iter(found.attributes), None),
        "--group-column": found.group_column,
    }
    for flag, column in guessed.items():
        if column is None or column in said:
            continue
        ways = [c for c in table.columns if spelling_key(c) == spelling_key(column) and c not in said]
        if len(ways) > 1:
            flags = " or ".join(f"{flag} {shlex.quote(way)}" for way in ways)
            raise InputError(
                f"the table has columns {', '.join(map(repr, ways))}, whose names differ in case or spaces "
                f"alone, so that nothing says which one is meant. Name it: {flags}."
            )


def _by_name(table: pd.DataFrame, words: Sequence[str]) -> list[str]:
    """Columns named like one of `words`, best first."""
    lower = {str(column).lower(): str(column) for column in table.columns}
    return [lower[word] for word in words if word in lower]


def _guess_files(table: pd.DataFrame, root: Path, given: str | None) -> tuple[str, str]:
    """The column whose values are image files, and the folder they are relative to.

    Half of the names tried are enough: that files are missing is the loader's message to give.
    """
    named = _by_name(table, FILE_WORDS)
    candidates = [given] if given else [*named, *(c for c in table.columns if c not in named)]
    folders = [FileIndex(root / name) for name in (".", *(child.name for child in subfolders(root)))]
    rows = table.iloc[:: max(1, len(table) // N_TRIED)]
    for column in candidates:
        names = [name for name in rows[column] if name.strip()]
        if given is None and not any(is_image(Path(name.strip())) for name in names):
            continue
        for index in folders:
            if names and 2 * sum(index.path(name).is_file() for name in names) >= len(names):
                return column, os.path.relpath(index.base, root)
    ids = _by_name(table, ID_WORDS)
    pictures = [c for c in candidates if c not in ids and any(is_image(Path(n.strip())) for n in rows[c])]
    for column in [given] if given else [*named, *ids, *pictures]:  # other case, spaces, or no ending
        names = [name for name in rows[column] if name.strip()]
        for index in folders:
            if names and 2 * sum(len(index.find(name)) > 0 for name in names) >= len(names):
                return column, os.path.relpath(index.base, root)
    tried = next(iter([*([given] if given else []), *named, *candidates]))
    example = str(table[tried].iloc[0])
    raise InputError(
        f"no column of the table names image files below {root}. Columns found: {', '.join(table.columns)}. "
        f"Column {tried!r} has {example!r}: looked for {folders[0].path(example)}, also in the "
        "folders beside it and without regard to case, spaces and a missing ending. Put the table beside the "
        "images, or into the folder above them; if another column has the names: --file-column; to read "
        "class folders instead of the table: --label-level 1."
    )


def _guess_split(
    table: pd.DataFrame, candidates: Sequence[str], splits: Mapping[str, Sequence[str]] | None
) -> str | None:
    """The one candidate whose values are plain, or have the names that `splits` says.

    Raises:
        InputError: none is plain, or two disagree.
    """
    if splits is not None:
        said = {split_key(name) for names in splits.values() for name in names}
        fitting = [c for c in candidates if said <= {split_key(v) for v in table[c].unique()}]
        if not candidates:
            raise InputError("--split: no column looks like a split. Name it with --split-column.")
        return next(iter(fitting or candidates))
    read = {c: read_column(c, Counter(table[c])) for c in candidates}
    plain = [c for c, (_, why) in read.items() if not why]
    if candidates and not plain:
        column = candidates[0]
        raise ask(f"column {column!r}", Counter(table[column]), read[column][1], column=column)
    placed = {c: [read[c][0][value] for value in table[c]] for c in plain}
    other = next((c for c in plain[1:] if placed[c] != placed[plain[0]]), None)
    if other:
        raise InputError(
            f"columns {plain[0]!r} and {other!r} both look like splits and disagree. Name the right one: "
            f"--split-column {shlex.quote(plain[0])} or --split-column {shlex.quote(other)}."
        )
    return next(iter(plain), None)


def _guess_label(
    table: pd.DataFrame, *, file: str | None, like_split: Collection[str], taken: Collection[str | None]
) -> str:
    for column in _by_name(table, LABEL_WORDS):
        if column != file and column not in taken:
            return column
    free = [c for c in table.columns if c != file and c not in like_split and c not in taken]
    if len(free) == 1 and 1 < table[free[0]].nunique() < len(table):
        return str(free[0])
    raise InputError(
        f"no column is named like a label ({', '.join(LABEL_WORDS)}). Columns found: "
        f"{', '.join(table.columns)}. Their first row: {', '.join(map(repr, table.iloc[0]))}. Name the "
        "label's column with --label-column."
    )


def _guess_attributes(
    table: pd.DataFrame, *, label: str, taken: Collection[str | None], like_split: Collection[str]
) -> tuple[list[str], dict[str, str]]:
    """Columns that are named like an attribute, then others; and why the rest is passed over."""
    named = _by_name(table, ATTRIBUTE_WORDS)
    order = [*named, *(c for c in table.columns if c not in named)]
    reasons = {
        column: "it looks like a split"
        if column in like_split
        else _reason(table, column, label, column in named)
        for column in order
        if column not in taken
    }
    return [c for c, why in reasons.items() if not why], {c: why for c, why in reasons.items() if why}


def _reason(table: pd.DataFrame, column: str, label: str, is_named: bool) -> str:
    """Why a column is not guessed to be an attribute; "" where it is."""
    values, labels = _spelled(table[column]), _spelled(table[label])
    n, most = values.nunique(), MAX_NAMED_VALUES if is_named else MAX_VALUES
    if n < 2:
        return "it has one value only"
    if n > most:
        return f"it has {n:,} values, more than {most}"
    if (share := float((values == "").mean())) > MAX_BLANK:
        return f"{share:.0%} of its cells are empty"
    if n > 2 and _are_folds(values):
        return "numbers of equally many images each look like folds"
    is_finer = (labels.groupby(values).nunique() <= 1).all()  # a finer or renamed label
    is_coarser = (values.groupby(labels).nunique() <= 1).all()
    return "label and it decide each other" if not is_named and (is_finer or is_coarser) else ""


def _are_folds(values: pd.Series[str]) -> bool:
    sizes = values.value_counts()
    return bool(values.str.fullmatch(r"\d+").all()) and int(sizes.max() - sizes.min()) <= 1


def _spelled(column: pd.Series[str]) -> pd.Series[str]:
    return column.map({value: spelling_key(value) for value in column.unique()})
