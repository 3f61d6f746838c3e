"""Arrays of images and labels in a NumPy `.npz`: one pair, or one of each split (MedMNIST, Keras)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.npz_arrays import ArrayInfo, NpzImage, NpzImages, list_arrays, read_whole
from pipeline.data.names.split_words import plain_split
from pipeline.data.raw import RawDataset
from pipeline.data.sources.cells import Cells, check_columns, read_meaning, wanted_columns
from pipeline.settings.sources import NpzSource

SHORT = {"tr": "train", "te": "test"}  # of splits, in names of arrays
CLASS_ARRAYS = ("classes", "class_names", "label_names", "target_names")


@dataclass
class Part:
    """The arrays of one split, or of none, by what their names say beside it."""

    split: str
    arrays: dict[str, ArrayInfo] = field(default_factory=dict)


class NpzLoader:
    """Rows of an array are images, read when they are packed; labels and the like are arrays as long."""

    def __init__(self, source: NpzSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (array, shape or value not usable)."""
        source, columns = self.source, self.source.columns
        path = Path(source.path).expanduser()
        arrays = list_arrays(path)
        parts = [part for part in split_arrays(arrays, source.split_by_name) if columns.image in part.arrays]
        if not parts:
            raise InputError(
                f"{path} has no array {columns.image!r}. Arrays found: {', '.join(arrays)}. Set "
                "`source.columns.image` (new-dataset: --file-column); the name of a split before or behind "
                "it is left out."
            )
        wanted = wanted_columns(columns, columns.label)
        classes = read_classes(path, arrays)
        tables, images, names, split_names = [], list[NpzImage](), list[str](), list[str]()
        for part in parts:
            stored = NpzImages(path, part.arrays[columns.image])
            n = stored.info.shape[0]
            tables.append(read_part(path, part, columns.image, wanted, n, classes, columns.label))
            images += [NpzImage(stored, row) for row in range(n)]
            names += [f"{stored.info.name}:{row}" for row in range(n)]
            split_names += [part.split] * n
        table = pd.concat(tables, ignore_index=True)
        declared = {columns.label: classes} if classes else {}
        cells = Cells(table, path.name, declared, names, split_names, "the naming of arrays")
        meaning = read_meaning(cells, source, label=columns.label)
        roles = {columns.image, *wanted.values()}
        used = {info.name for part in parts for role, info in part.arrays.items() if role in roles}
        unread = [name for name in arrays if name not in used | set(CLASS_ARRAYS)]
        return meaning.dataset(
            source,
            [meaning.row(k, names[i], image=images[i]) for k, i in enumerate(meaning.kept)],
            title=path.stem,
            source=f"local arrays {path.name}",
            notes=[f"arrays that were not read: {list_some(unread)}"] if unread else [],
            decided_by=[path],
        )


def split_arrays(arrays: Mapping[str, ArrayInfo], has_splits: bool) -> list[Part]:
    """Arrays by split: "train_images" and "x_train" are "images" and "x" of "train".

    Args:
        has_splits: False: names are what they are.
    """
    parts: dict[str, Part] = {}
    for name, info in arrays.items():
        words = [word for word in re.split(r"[_\-. /]+", name) if word]
        said = [word for word in words if plain_split(word) or word.lower() in SHORT]
        is_said = has_splits and len(said) == 1 and len(words) > 1
        split = SHORT.get(said[0].lower(), said[0]) if is_said else ""
        role = "_".join(word for word in words if word not in said) if is_said else name
        parts.setdefault(split, Part(split)).arrays.setdefault(role, info)
    return list(parts.values())


def read_classes(path: Path, arrays: Mapping[str, ArrayInfo]) -> list[str]:
    """Names of the classes in order, where an array says them."""
    for name in CLASS_ARRAYS:
        info = arrays.get(name)
        if info is not None and info.dtype.kind in "US" and len(info.shape) == 1:
            return _as_cells(path, info).tolist()
    return []


def read_part(
    path: Path,
    part: Part,
    image: str,
    wanted: Mapping[str, str],
    n: int,
    classes: list[str],
    label: str,
) -> pd.DataFrame:
    where = f"{path.name}, beside {part.arrays[image].name!r},"
    check_columns(Cells(pd.DataFrame(columns=list(part.arrays)), where), wanted)
    cells: dict[str, pd.Series[str]] = {}
    for key, name in wanted.items():
        info = part.arrays[name]
        if info.shape[:1] != (n,):
            raise InputError(
                f"{path}: {part.arrays[image].name!r} has {n:,} images, {info.name!r} {len_of(info)}. Both "
                "must be as long: save them again."
            )
        if info.shape not in ((n,), (n, 1)):
            raise InputError(
                f"{path}: array {info.name!r} is {info.shape}, several values for each image; one is "
                f"needed. Save one column of it, or argmax(axis=1) of one-hot labels, or set "
                f"`source.columns.{key}`."
            )
        cells[name] = _as_cells(path, info)
    if classes:
        cells[label] = _names_of(path, part.arrays[label], cells[label], classes)
    return pd.DataFrame(cells)


def len_of(info: ArrayInfo) -> str:
    """How long an array is, in words."""
    return f"{info.shape[0]:,} values" if info.shape else "one value"


def _as_cells(path: Path, info: ArrayInfo) -> pd.Series[str]:
    """Values as text; whole floats as integers, and "" for what is no number."""
    values = read_whole(path, info).reshape(-1)
    if values.dtype.kind == "S":
        values = np.char.decode(values.astype(np.bytes_), "utf-8", "replace")
    if values.dtype.kind == "f":
        numbers = values.astype(np.float64)
        return pd.Series([_number(value) for value in numbers.tolist()], dtype=str)
    return pd.Series([str(value) for value in values.tolist()], dtype=str)


def _number(value: float) -> str:
    return "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)


def _names_of(path: Path, info: ArrayInfo, cells: pd.Series[str], classes: list[str]) -> pd.Series[str]:
    """The name of each class that is given as a number.

    Raises:
        InputError: numbers that stand for none.
    """
    known = {
        "": "",
        "-1": "",
        **{name: name for name in classes},
        **{str(i): name for i, name in enumerate(classes)},
    }
    wrong = sorted(set(cells) - known.keys())
    if wrong:
        raise InputError(
            f"{path}: array {info.name!r} has {list_some(wrong)}; its {len(classes)} classes are 0 to "
            f"{len(classes) - 1} ({list_some(classes)}). Save it again."
        )
    return cells.map(known)
