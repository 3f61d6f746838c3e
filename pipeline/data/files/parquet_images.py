"""Encoded images inside of Parquet files, read a few rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import InputError
from pipeline.data.raw import UnreadableError

_BATCH_BYTES = 8 << 20  # of images that are held at a time
_MOST_ROWS = 256
_BUFFER_BYTES = 1 << 20
BYTES, PATH = "bytes", "path"  # of Hugging Face's struct


def open_parquet(path: Path) -> pq.ParquetFile:
    """Read through a small buffer: of a mapped file or a whole row group every page would stay in memory.

    Raises:
        InputError: missing, damaged, or no Parquet file.
    """
    try:
        return pq.ParquetFile(
            path, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
        )
    except (OSError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: BaseException) -> InputError:
    """The error of a Parquet file that cannot be read."""
    return InputError(f"{path} cannot be read as Parquet ({error}). Obtain or write it again.")


def is_image_type(kind: Any) -> bool:
    """Whether a column of this type can hold encoded images."""
    if pa.types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return BYTES in names and is_image_type(kind.field(names.index(BYTES)).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def class_names(schema: Any) -> dict[str, list[str]]:
    """Column -> its classes in order, of those that Hugging Face's `datasets` calls `ClassLabel`."""
    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = stored["info"]["features"]
        found = {name: feature["names"] for name, feature in features.items() if _is_class_label(feature)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: [str(each) for each in names] for name, names in found.items() if isinstance(names, list)}


def _is_class_label(feature: Any) -> bool:
    return isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel" and "names" in feature


class ParquetImages:
    """Images by file and row. Ascending rows are read once; to go back begins a row group anew."""

    def __init__(self, files: Sequence[Path], column: str) -> None:
        self.files, self.column = files, column
        self._file = self._group = -1
        self._first, self._batch = 0, None
        self._parquet: pq.ParquetFile | None = None
        self._starts = np.zeros(0, np.int64)  # first row of each row group
        self._batches: Iterator[Any] = iter(())

    def read(self, file: int, row: int) -> bytes:
        """One image, encoded.

        Raises:
            UnreadableError: the row has none.
            InputError: the file is damaged.
        """
        try:
            cell = self._cell(file, row)
        except (OSError, pa.ArrowException, StopIteration) as error:
            raise damaged(self.files[file], error) from error
        found = cell.get(BYTES) if isinstance(cell, Mapping) else cell
        if found:
            return bytes(found)
        if isinstance(cell, Mapping) and cell.get(PATH):
            raise UnreadableError(
                f"its row holds the path {str(cell[PATH])!r} and no bytes: save it with its image embedded"
            )
        raise UnreadableError("its row holds no image")

    def _cell(self, file: int, row: int) -> Any:
        if file != self._file:
            self._open(file)
        assert self._parquet is not None
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if group != self._group or row < self._first:
            self._batches = self._parquet.iter_batches(
                self._n_rows(group), row_groups=[group], columns=[self.column], use_threads=False
            )
            self._group, self._first, self._batch = group, int(self._starts[group]), None
        while self._batch is None or row >= self._first + len(self._batch):
            self._first += 0 if self._batch is None else len(self._batch)
            self._batch = next(self._batches).column(0)
        return self._batch[row - self._first].as_py()

    def _open(self, file: int) -> None:
        self._batch, self._batches, self._group = None, iter(()), -1
        self._parquet = open_parquet(self.files[file])
        meta = self._parquet.metadata
        sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        self._starts = np.cumsum([0, *sizes])[:-1]
        self._file = file

    def _n_rows(self, group: int) -> int:
        """Rows at a time, by how large they are on average."""
        assert self._parquet is not None
        meta = self._parquet.metadata.row_group(group)
        columns = [meta.column(i) for i in range(meta.num_columns)]
        own = [each for each in columns if each.path_in_schema.split(".")[0] == self.column]
        mean = sum(each.total_uncompressed_size for each in own) // max(1, meta.num_rows)
        return int(np.clip(_BATCH_BYTES // max(1, mean), 1, _MOST_ROWS))


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """One row's image."""

    images: ParquetImages
    file: int
    row: int
    called: str | None

    def read(self) -> bytes:
        return self.images.read(self.file, self.row)
