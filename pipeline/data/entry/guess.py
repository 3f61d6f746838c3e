"""A params.yaml entry for data of your own, guessed from the files.

A guess is only made where the files leave little doubt; otherwise the message lists what was found.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import TypeAdapter

from pipeline.artifacts.paths import NAME_PATTERN
from pipeline.core.errors import InputError
from pipeline.data.entry.containers import Container, guess_container
from pipeline.data.files.listing import find_images, is_junk, subfolders, unwrap
from pipeline.data.files.read_table import TABLE_SUFFIXES, read_table
from pipeline.data.files.table_files import FileIndex, match_masks
from pipeline.data.names.columns import Given, check_twins, guess_columns
from pipeline.data.names.folder_levels import explain_empty
from pipeline.data.raw import DeepPixels, UnreadableError, content_of
from pipeline.data.sources import cifar100, tiny_imagenet
from pipeline.data.sources.registry import load_raw
from pipeline.settings.sources import Source

MASK_FOLDERS = ("masks", "mask", "segmentations", "segmentation")
FOLDER_KEYS = ("split_level", "label_level", "attribute_level")
SIZES = (32, 48, 64)  # of packed images; larger ones are the user's decision, they cost time
N_TRIED = 50


@dataclass(frozen=True)
class Guessed:
    """An entry of params.yaml, and what its columns were taken for where images lie in larger files."""

    entry: dict[str, Any]
    container: Container | None = None


def new_dataset_entry(name: str, path: Path, **given: Any) -> dict[str, Any]:
    """`guess_entry` without what is said besides it."""
    return guess_entry(name, path, **given).entry


def guess_entry(
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
) -> Guessed:
    """The entry of a dataset at `path`: a table, its folder, class folders, or files that hold many images.

    Args:
        name: the dataset's name in params.yaml.
        file, label, split, attributes, group_column: column names, where the guess should not decide;
            `group_column` "" = none.
        said: keys of `source` that are not guessed: `splits`, `names`, levels of a folder (`split_level` 0:
            no folder and no column is a split, whatever its name).

    Raises:
        InputError: a name DVC cannot use, nothing usable at `path`, or columns that cannot be guessed.
    """
    if not NAME_PATTERN.match(name):
        raise InputError(f"dataset name {name!r} is not allowed: use a-z, 0-9 and _ only.")
    said = said or {}
    has_split = said.get("split_level") != 0
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    given = Given(file, label, split, attributes, group_column, said.get("splits"), has_split)
    container = None if _official(path) else guess_container(path, given, said)
    if container is not None:
        return Guessed(_with_size(container.source, _stored_sides(container.source), image_size), container)
    outer, path = path, _within(path)
    wants_folders = any(said.get(key) for key in FOLDER_KEYS)
    official = _official(path)
    table = path if path.is_file() else None if wants_folders else _find_table(path)
    if wants_folders and path.is_file():
        raise InputError(f"levels (--label-level ...) are of folders, and {path} is a file. Give the folder.")
    columns = {
        "--file-column": file,
        "--label-column": label,
        "--split-column": split,
        "--attribute-column": attributes,
        "--group-column": group_column,
    }
    if official is not None or table is None:
        kind = official["kind"] if official else None
        _refuse_flags([flag for flag, value in columns.items() if value], path, kind, wants_folders)
    if official is not None:
        source, sample = official, find_images(path)[:: max(1, len(find_images(path)) // N_TRIED)]
    elif table is not None:
        said = {key: value for key, value in said.items() if key not in FOLDER_KEYS}
        source, sample = _table_source(table, given)
    else:
        source, sample = _folder_source(outer, wants_folders)  # which the loader unwraps, and says so
    source |= said
    return Guessed(_with_size(source, _sides(sample), image_size))


def _with_size(source: dict[str, Any], sides: Sequence[int], image_size: int | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": source}
    side = image_size or _image_size(sides)
    entry["data"] = {"image_size": side}
    if side >= 64:
        # keeps small_resnet as fast as at 32 px
        entry["train"] = {"stem_stride": 2 if side < 128 else 4}
    return entry


def _refuse_flags(flags: Sequence[str], path: Path, official: str | None, wants_folders: bool) -> None:
    """Flags of columns where no table is read would say nothing, in silence.

    Raises:
        InputError: there are some.
    """
    if not flags:
        return
    if official is not None:
        raise InputError(
            f"{', '.join(flags)}: {path} is {official} in its official layout, whose labels and splits are "
            "known. Leave them out."
        )
    why = f"{path} is read as a folder of class folders, which has no columns"
    if wants_folders and _find_table(path) is not None:
        raise InputError(
            f"{', '.join(flags)}: {why}, because levels were given (--split-level, --label-level, "
            "--attribute-level). Give columns or levels, not both: without levels the table "
            f"{_find_table(path)} is read."
        )
    raise InputError(
        f"{', '.join(flags)}: {why}. Use --attribute-level, --label-level, --split or --split-level, or give "
        f"a table ({', '.join(TABLE_SUFFIXES)}) with these columns: beside the images, or as PATH."
    )


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


def _folder_source(path: Path, wants_folders: bool) -> tuple[dict[str, Any], list[Path]]:
    images = find_images(path)
    if not images or not subfolders(path):
        if wants_folders:
            beside = _find_table(path)
            instead = f" Leave them out to read the table {beside}." if beside else ""
            raise InputError(
                f"--split-level, --label-level and --attribute-level are of folders. {explain_empty(path)}"
                f"{instead}"
            )
        raise InputError(f"{explain_empty(path)} A table ({', '.join(TABLE_SUFFIXES)}) is not there either.")
    return {"kind": "folder", "path": str(path)}, images[:: max(1, len(images) // N_TRIED)]


def _table_source(path: Path, given: Given) -> tuple[dict[str, Any], list[Path]]:
    table, root = read_table(path).cells, path.parent
    found = guess_columns(table, root, given)
    check_twins(found, table, given)
    columns: dict[str, Any] = {"file": found.file, "label": found.label}
    optional = {"split": found.split, "attributes": found.attributes, "group_column": found.group_column}
    columns |= {key: value for key, value in optional.items() if value}
    source = {"kind": "table", "path": str(root), "table": path.name, "columns": columns}
    assert found.file is not None
    if found.images != ".":
        source["images"] = found.images
    index = FileIndex(root / found.images)
    files = [file for name in table[found.file] for file in index.find(name)[:1]]
    masks = _guess_masks(root, [index.name_of(file) for file in files])
    if masks:
        source["masks"] = masks
    return source, files[:: max(1, len(files) // N_TRIED)]


def _guess_masks(root: Path, files: list[str]) -> str | None:
    for child in subfolders(root):
        if child.name.lower() in MASK_FOLDERS:
            try:
                match_masks(child, files)
            except InputError:
                continue
            return child.name
    return None


def _stored_sides(source: dict[str, Any]) -> list[int]:
    """Shorter sides of some of the images that a guessed source describes."""
    parsed: Source = TypeAdapter(Source).validate_python(source)
    rows = load_raw(parsed, Path()).rows
    sides = []
    for row in rows[:: max(1, len(rows) // N_TRIED)]:
        try:
            content = content_of(row)
            if isinstance(content, DeepPixels | np.ndarray):
                pixels = content.values if isinstance(content, DeepPixels) else content
                sides.append(min(pixels.shape[:2]))
            else:
                sides += _sides([content])
        except UnreadableError:
            continue
    return sides


def _sides(sample: Sequence[Path | bytes]) -> list[int]:
    """Shorter sides of some images, px."""
    sides = []
    for image in sample[: 2 * N_TRIED]:
        try:
            with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as picture:
                sides.append(min(picture.size))
        except (OSError, ValueError, SyntaxError):
            continue
    return sides


def _image_size(sides: Sequence[int]) -> int:
    """The largest usual side that the median image's shorter side reaches."""
    if not sides:
        return SIZES[0]
    return max([size for size in SIZES if size <= np.median(sides)], default=SIZES[0])
