"""A params.yaml entry for data of your own, guessed from the files.

A guess is only made where the files leave little doubt; otherwise the message lists what was found.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.core.errors import InputError
from pipeline.core.method_settings import TRAINED_WITH_GROUPS, MethodName
from pipeline.core.settings import NAME_PATTERN, SECTIONS, did_you_mean
from pipeline.data import cifar100, tiny_imagenet
from pipeline.data.folder import explain_empty
from pipeline.data.listing import IMAGE_SUFFIXES, find_images, is_junk, subfolders, unwrap
from pipeline.data.sources import guess_group_column
from pipeline.data.split_names import ask, looks_like_split, read_column
from pipeline.data.split_names import clean as split_key
from pipeline.data.table import match_masks, read_table

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")
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
MASK_FOLDERS = ("masks", "mask", "segmentations", "segmentation")
SIZES = (32, 48, 64)  # of packed images; larger ones are the user's decision, they cost time
MAX_CLASSES, MAX_ATTRIBUTE_VALUES = 200, 10
N_TRIED = 50


def new_dataset_entry(
    name: str,
    path: Path,
    *,
    file: str | None = None,
    label: str | None = None,
    split: str | None = None,
    attributes: Sequence[str] | None = None,
    group_column: str | None = None,
    image_size: int | None = None,
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The complete entry of a dataset at `path`: a table, its folder, or a folder of class folders.

    Args:
        name: the dataset's name in params.yaml.
        file, label, split, attributes, group_column: column names, where the guess should not decide;
            `group_column` "" = none.
        said: keys of `source` that are not guessed: `splits` ("none": no column and no folder is one,
            whatever its name), `names`, levels of a folder.

    Raises:
        InputError: a name DVC cannot use, nothing usable at `path`, or columns that cannot be guessed.
    """
    if not NAME_PATTERN.match(name):
        raise InputError(f"dataset name {name!r} is not allowed: use a-z, 0-9 and _ only.")
    said = said or {}
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    path = _within(path)
    table = path if path.is_file() else _find_table(path)
    official = _official(path)
    if official is not None:
        source, sample = official, find_images(path)[:: max(1, len(find_images(path)) // N_TRIED)]
    elif table is not None:
        source, sample = _table_source(
            table,
            file=file,
            label=label,
            split=split,
            attributes=attributes,
            group_column=group_column,
            splits=said.get("splits"),
        )
    else:
        source, sample = _folder_source(path)
    source |= said
    if source["kind"] == "table" and source.get("splits") == "none":
        del source["splits"]
    entry: dict[str, Any] = {"source": source, **{section: {} for section in SECTIONS}}
    side = image_size or _image_size(sample)
    entry["data"] = {"image_size": side}
    if side >= 64:
        # keeps small_resnet as fast as at 32 px
        entry["train"] = {"stem_stride": 2 if side < 128 else 4}
    # DVC tracks the methods one by one, so each key must be there
    entry["methods"] = {method: {} for method in get_args(MethodName)}
    if not source.get("columns", {}).get("attributes"):
        # Derived groups may well be empty for some class: leave those out instead of stopping.
        for method in TRAINED_WITH_GROUPS:
            entry["methods"][method] = {"allow_empty_groups": True}
    return entry


def _official(path: Path) -> dict[str, Any] | None:
    """A published dataset in its official layout."""
    if not path.is_dir():
        return None
    if cifar100.OFFICIAL.is_extracted(path) and (path / "meta").is_file():
        return {"kind": "cifar100", "path": str(path)}
    if tiny_imagenet.OFFICIAL.is_extracted(path):
        n_classes = len((path / "wnids.txt").read_text(encoding="utf-8").split())
        reduced = {} if n_classes == tiny_imagenet.N_CLASSES else {"verify": "structure"}
        return {"kind": "tiny_imagenet", "path": str(path), **reduced}
    return None


def _within(path: Path) -> Path:
    """The folder that a chain of single folders wraps, where the outer one says nothing itself."""
    is_plain = path.is_dir() and _find_table(path) is None and _official(path) is None
    return unwrap(path) if is_plain else path


def _find_table(folder: Path) -> Path | None:
    tables = [
        child
        for child in sorted(folder.iterdir())
        if child.suffix.lower() in TABLE_SUFFIXES and child.is_file() and not is_junk(child.name)
    ]
    named = [table for table in tables if table.stem.lower() == "metadata"]
    if len(tables) > 1 and not named:
        raise InputError(
            f"{folder} holds several tables: {', '.join(t.name for t in tables)}. Give the path of "
            "one of them."
        )
    return next(iter(named or tables), None)


def _folder_source(path: Path) -> tuple[dict[str, Any], list[Path]]:
    images = find_images(path)
    if not images or not subfolders(path):
        raise InputError(f"{explain_empty(path)} A table ({', '.join(TABLE_SUFFIXES)}) is not there either.")
    return {"kind": "folder", "path": str(path)}, images[:: max(1, len(images) // N_TRIED)]


def _table_source(
    path: Path,
    *,
    file: str | None,
    label: str | None,
    split: str | None,
    attributes: Sequence[str] | None,
    group_column: str | None,
    splits: Mapping[str, Any] | Literal["none"] | None,
) -> tuple[dict[str, Any], list[Path]]:
    table, root = read_table(path), path.parent
    for column in (file, label, split, group_column, *(attributes or ())):
        if column and column not in table:
            raise InputError(
                f"{path.name} has no column {column!r}"
                f"{did_you_mean(column, table.columns) or '.'} Columns found: "
                f"{', '.join(table.columns)}."
            )
    file, images = _guess_files(table, root, [file] if file else _by_name(table, FILE_WORDS, others=True))
    label = label or _guess_label(table, taken={file, split})
    like_split = [
        c for c in table.columns if c not in (file, label) and looks_like_split(c, table[c].unique())
    ]
    if splits == "none":
        split = None
    elif split is None:
        split = _guess_split(table, [c for c in like_split if c not in (attributes or ())], splits)
    if group_column is None:
        group_column = guess_group_column(table, {file, split, label, *like_split, *(attributes or ())})
    if attributes is None:
        taken = {file, split, label, group_column, *like_split}
        attributes = _guess_attributes(table, label=label, taken=taken)
    columns: dict[str, Any] = {"file": file, "label": label}
    if split:
        columns["split"] = split
    if attributes:
        columns["attributes"] = list(attributes)
    if group_column:
        columns["group_column"] = group_column
    source = {"kind": "table", "path": str(root), "table": path.name, "columns": columns}
    if images != ".":
        source["images"] = images
    masks = _guess_masks(root, list(table[file]))
    if masks:
        source["masks"] = masks
    every = table[file].iloc[:: max(1, len(table) // N_TRIED)]
    return source, [root / images / name for name in every]


def _by_name(table: pd.DataFrame, words: Sequence[str], *, others: bool = False) -> list[str]:
    """Columns named like one of `words`, best first; with `others` all further columns after them."""
    lower = {str(column).lower(): str(column) for column in table.columns}
    named = [lower[word] for word in words if word in lower]
    return [*named, *(str(c) for c in table.columns if c not in named)] if others else named


def _guess_files(table: pd.DataFrame, root: Path, candidates: list[str]) -> tuple[str, str]:
    """The column whose values are image files, and the folder they are relative to."""
    folders = [".", *(child.name for child in subfolders(root))]
    rows = table.iloc[:: max(1, len(table) // N_TRIED)]
    for column in candidates:
        names = [name.replace("\\", "/") for name in rows[column]]
        if not any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names):
            continue
        for folder in folders:
            # Half of them is enough: that files are missing is the loader's message to give.
            if 2 * sum((root / folder / name).is_file() for name in names) >= len(names):
                return column, folder
    raise InputError(
        f"no column of the table names image files below {root}. Columns found: {', '.join(table.columns)}. "
        "Put the table beside the images, or into the folder above them."
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


def _guess_label(table: pd.DataFrame, taken: set[str | None]) -> str:
    for column in _by_name(table, LABEL_WORDS):
        if column not in taken:
            return column
    raise InputError(
        f"no column is named like a label ({', '.join(LABEL_WORDS)}). Columns found: "
        f"{', '.join(table.columns)}. Say which one is the label with --label-column."
    )


def _guess_attributes(table: pd.DataFrame, *, label: str, taken: set[str | None]) -> list[str]:
    """Columns named like an attribute, then others with few values that the label does not decide."""
    free = [column for column in table.columns if column not in taken]
    named = [column for column in _by_name(table[free], ATTRIBUTE_WORDS) if _has_few_values(table[column])]
    others = [
        column
        for column in free
        if column not in named
        and _has_few_values(table[column])
        and (table.groupby(column)[label].nunique() > 1).any()  # not a finer or renamed label
        and (table.groupby(label)[column].nunique() > 1).any()
    ]
    return [*named, *others]


def _has_few_values(column: pd.Series[str]) -> bool:
    return 2 <= column.nunique() <= MAX_ATTRIBUTE_VALUES and not (column == "").any()


def _guess_masks(root: Path, files: list[str]) -> str | None:
    for child in subfolders(root):
        if child.name.lower() in MASK_FOLDERS:
            try:
                match_masks(child, files)
            except InputError:
                continue
            return child.name
    return None


def _image_size(sample: list[Path]) -> int:
    """The largest usual side that the median image's shorter side reaches."""
    sides = []
    for path in sample[: 2 * N_TRIED]:
        try:
            with Image.open(path) as picture:
                sides.append(min(picture.size))
        except (OSError, ValueError, SyntaxError):
            continue
    if not sides:
        return SIZES[0]
    return max([size for size in SIZES if size <= np.median(sides)], default=SIZES[0])
