"""Which row of somebody's table is which image of a dataset: by file, by the end of its path, or by id.

Numbers may be ids and names of files alike (`17` and `00017.jpg`): where the two are other images, it asks.

Shape legend: R rows of the table, N images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array
from pipeline.core.words import count, list_some
from pipeline.data.files.listing import is_image
from pipeline.models.brought.classes import yaml_text

_WHOLE = re.compile(r"(\d{1,18})(\.0*)?", re.ASCII)  # 18 digits are an int64; pandas writes 17 as 17.0


def whole(cell: str) -> int | None:
    """A whole number from 0 on as it is usually written; None for anything else.

    >>> whole("007"), whole("7.0"), whole("-1"), whole("7.5"), whole("9" * 20)
    (7, 7, None, None, None)
    """
    found = _WHOLE.fullmatch(cell)
    return None if found is None else int(found[1])


@dataclass(frozen=True)
class _Column:
    """A column that may name the images."""

    name: str
    cells_R: Sequence[str]
    files_R: list[list[int]]  # images whose file may be meant
    ids_R: list[int] | None  # images whose id it is; None where a cell is no id
    is_full: bool  # every cell is the whole name of a file
    is_id: bool

    @property
    def clash(self) -> int | None:
        """A row whose number is one image's id, and another's file; a file's whole name is no id."""
        if self.ids_R is None or self.is_full:
            return None
        rows = zip(self.files_R, self.ids_R, strict=True)
        return next((r for r, (files, own) in enumerate(rows) if files and own not in files), None)

    @property
    def places(self) -> list[int]:
        """For each row the position of its image; -1 for none, or for more than one."""
        if self.is_id and self.ids_R is not None:
            return self.ids_R
        return [found[0] if len(found) == 1 else -1 for found in self.files_R]

    @property
    def is_clear(self) -> bool:
        return self.clash is None and min(self.places) >= 0

    @property
    def counts_rows(self) -> bool:
        """0, 1, 2 ... or 1, 2, 3 ...: pandas' index, no image."""
        return [whole(cell) for cell in self.cells_R] in [
            list(range(first, first + len(self.cells_R))) for first in (0, 1)
        ]

    def may_be(self, at_R: Sequence[int]) -> bool:
        """Whether its cells name these images, too, as far as they name any."""
        if self.ids_R is not None and self.ids_R == list(at_R):
            return True
        rows = zip(self.files_R, at_R, strict=True)
        return all(at in found or not found for found, at in rows) and (
            self.ids_R is None or any(self.files_R)
        )


def match_images(
    columns: Mapping[str, Sequence[str]], path: Path, files: Sequence[str], ids: Int64Array, where: str
) -> tuple[Int64Array, str, list[str]]:
    """For each row the position (R,) of its image among the dataset's, the column that says so, and notes.

    Args:
        columns: those that may name the image, the likeliest first.
        path: of the table, for messages.
        files: of the images.
        ids: of the images.
        where: the entry, for messages.

    Raises:
        InputError: a row names no image, or more than one; or two columns name other ones.
    """
    found = [_column(name, cells, files, ids) for name, cells in columns.items()]
    clear = sorted((one for one in found if one.is_clear), key=lambda one: one.is_id)
    unknown = [one for one in found if not one.is_clear and any(is_image(Path(cell)) for cell in one.cells_R)]
    if not clear or (unknown and clear[0].is_id and clear[0].counts_rows):
        nearest = max(unknown if clear else found, key=lambda one: (sum(map(bool, one.files_R)), one.is_id))
        raise InputError(_why_not(nearest, path, files, where))
    best = clear[0]
    notes = [f"images are matched by {'id' if best.is_id else 'file'} (column {best.name})"]
    for one in found:
        if one is best or one.may_be(best.places):
            continue
        if not one.counts_rows:
            _refuse(one, best, files, where)
        notes.append(f"column {one.name} counts the rows and is not read")
    return np.array(best.places, np.int64), best.name, notes


def _column(name: str, cells_R: Sequence[str], files: Sequence[str], ids: Int64Array) -> _Column:
    names = [_plain(file) for file in files]
    full = _places(names)
    stems = _places([str(PurePosixPath(file).with_suffix("")) if file else "" for file in names])
    of_stems = [whole(PurePosixPath(file).stem) for file in names]
    numbers = _places(["" if number is None else str(number) for number in of_stems])
    ends, stem_ends = _by_last_part(full), _by_last_part(stems)
    by_id = {int(own): at for at, own in enumerate(ids)}
    asked = [_plain(cell) for cell in cells_R]

    def of(cell: str) -> list[int]:
        number = whole(cell)
        by_name = _alike(cell, full, ends) or _alike(cell, stems, stem_ends)
        return by_name if by_name or number is None else numbers.get(str(number), [])

    files_R = [of(cell) for cell in asked]
    own_R = [by_id.get(n, -1) if (n := whole(cell)) is not None else -1 for cell in asked]
    is_padded = any(files_R) and any(re.match(r"0\d", cell, re.ASCII) for cell in asked)  # no id is
    ids_R = own_R if min(own_R) >= 0 and not is_padded else None
    is_full = all(cell in full for cell in asked)
    return _Column(name, cells_R, files_R, ids_R, is_full, is_id=ids_R is not None and not is_full)


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./").strip("/")


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        if name:
            places.setdefault(name, []).append(at)
    return places


def _by_last_part(names: Mapping[str, list[int]]) -> dict[str, list[str]]:
    ends: dict[str, list[str]] = {}
    for name in names:
        ends.setdefault(PurePosixPath(name).name, []).append(name)
    return ends


def _alike(name: str, places: Mapping[str, list[int]], ends: Mapping[str, list[str]]) -> list[int]:
    """Images of exactly this name, else those whose path ends with it, or it with theirs."""
    if name in places:
        return places[name]
    near = ends.get(PurePosixPath(name).name, [])
    return [
        at
        for other in near
        if other.endswith(f"/{name}") or name.endswith(f"/{other}")
        for at in places[other]
    ]


def _why_not(column: _Column, path: Path, files: Sequence[str], where: str) -> str:
    if (r := column.clash) is not None and column.ids_R is not None:
        theirs = list_some([files[at] for at in column.files_R[r]], 2)
        own = files[column.ids_R[r]] or "an image without a file"
        return (
            f"{where}: {column.cells_R[r]} (column {column.name}) may be a file ({theirs}) or the id of "
            f"another image ({own}). Write whole names of files ({files[column.files_R[r][0]]}) into a "
            f"column `file`, and name it: `{where}.columns: {{ image: file }}`."
        )
    lost = [cell for cell, found in zip(column.cells_R, column.files_R, strict=True) if not found]
    if not lost:
        rows = zip(column.cells_R, column.files_R, strict=True)
        name, alike = next((cell, found) for cell, found in rows if len(found) > 1)
        return (
            f"{where}: {name} may be {list_some([files[at] for at in alike], 3)}. Name the images with their "
            "folders, as the dataset does."
        )
    return (
        f"{where}: {count(len(lost))} of {count(len(column.cells_R))} rows of {path} name no image of the "
        f"dataset ({list_some(lost, 3)}); its images are called {list_some(list(files)[:3], 3)}. Leave "
        "these rows out, or name the images as the dataset does (file or id)."
    )


def _refuse(other: _Column, best: _Column, files: Sequence[str], where: str) -> None:
    rows = range(len(best.places))
    r = next((r for r in rows if other.places[r] != best.places[r]), 0)
    raise InputError(
        f"{where}: the columns {best.name} and {other.name} name other images: row {r + 1} has "
        f"{best.cells_R[r]} ({files[best.places[r]]}) and {other.cells_R[r]}. Write which of them names the "
        f"image: `{where}.columns: {{ image: {yaml_text(best.name)} }}` or `{{ image: "
        f"{yaml_text(other.name)} }}`."
    )
