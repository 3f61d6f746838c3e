"""Parquet files with the images inside, as Hugging Face's `datasets` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.parquet_images import (
    PATH,
    ParquetImage,
    ParquetImages,
    class_names,
    damaged,
    is_image_type,
    open_parquet,
)
from pipeline.data.files.read_table import PARQUET_SUFFIXES, as_text
from pipeline.data.files.shards import Shard, find_shards
from pipeline.data.raw import RawDataset
from pipeline.data.sources.cells import Cells, check_columns, read_meaning, wanted_columns
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import ParquetSource

NO_LABEL = -1  # what `datasets` writes where a class is not known


class ParquetLoader:
    """Rows are images; their bytes are read when they are packed."""

    def __init__(self, source: ParquetSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError (file, column or value not usable)."""
        source, columns = self.source, self.source.columns
        path = Path(source.path).expanduser()
        shards = find_shards(path, PARQUET_SUFFIXES)
        wanted = wanted_columns(columns, columns.label)
        declared = find_classes(shards)
        tables, called = [], list[str]()
        for shard in shards:
            table, paths = read_shard(shard, columns.image, wanted, declared)
            tables.append(table)
            called += paths
        names = _names(shards, [len(table) for table in tables], called)
        split_names = [shard.split for shard, table in zip(shards, tables, strict=True) for _ in table.index]
        what = path.name if path.is_file() else f"the Parquet files in {path.name}/"
        cells = Cells(
            pd.concat(tables, ignore_index=True), what, declared, names, split_names, "the naming of files"
        )
        meaning = read_meaning(cells, source, label=columns.label, used=[columns.image])
        images = ParquetImages([shard.path for shard in shards], columns.image)
        places = [(i, row) for i, table in enumerate(tables) for row in range(len(table))]
        rows = [
            meaning.row(k, names[i], image=ParquetImage(images, *places[i], called[i] or None))
            for k, i in enumerate(meaning.kept)
        ]
        return meaning.dataset(
            source,
            rows,
            title=path.stem if path.is_file() else path.resolve().name,
            source=f"local Parquet {path.name}",
            decided_by=[shard.path for shard in shards],
        )


def find_classes(shards: Sequence[Shard]) -> dict[str, list[str]]:
    """The classes of every `ClassLabel` column.

    Raises:
        InputError: two files disagree, so that a number would mean two classes.
    """
    declared: dict[str, list[str]] = {}
    first: dict[str, Shard] = {}
    for shard in shards:
        for column, names in class_names(open_parquet(shard.path).schema_arrow).items():
            if declared.setdefault(column, names) != names:
                raise InputError(
                    f"{first[column].path} and {shard.path} have other classes in column {column!r} "
                    f"({list_some(declared[column])}; {list_some(names)}), so that its numbers mean two "
                    "things. Give the folder of one of them as `source.path`, or write them again."
                )
            first.setdefault(column, shard)
    return declared


def read_shard(
    shard: Shard, image: str, wanted: dict[str, str], declared: dict[str, list[str]]
) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are wanted as text, and what each image's file was called ("": not said)."""
    parquet = open_parquet(shard.path)
    schema = parquet.schema_arrow
    check_columns(Cells(pd.DataFrame(columns=schema.names), shard.name), {**wanted, "image": image})
    _check_image(shard, schema, image)
    for key, column in wanted.items():
        if pa.types.is_nested(schema.field(column).type):
            raise InputError(
                f"{shard.path}: column {column!r} holds {schema.field(column).type}, one value for each "
                f"image is needed. Set `source.columns.{key}` to another."
            )
    names = list(dict.fromkeys(wanted.values()))
    has_path = (
        pa.types.is_struct(schema.field(image).type) and schema.field(image).type.get_field_index(PATH) >= 0
    )
    try:
        found = parquet.read(columns=[*names, *([f"{image}.{PATH}"] if has_path else [])], use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise damaged(shard.path, error) from error
    numbers = found.select(names).to_pandas()
    table = pd.DataFrame({name: as_text(numbers[name]) for name in names}).reset_index(drop=True)
    for name in names:
        if name in declared:
            table[name] = _names_of(shard, name, table[name], declared[name])
    if not has_path:
        return table, [""] * found.num_rows
    paths = found.column(image).combine_chunks()
    return table, [(each or {}).get(PATH) or "" for each in paths.to_pylist()]


def _check_image(shard: Shard, schema: Any, image: str) -> None:
    kind = schema.field(image).type
    if is_image_type(kind):
        return
    others = [field.name for field in schema if is_image_type(field.type)]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        why = "names of files: use `source.kind: table`, or name the column that holds the images"
    else:
        why = "no encoded images (bytes, or a struct with `bytes` and `path`)"
    raise InputError(
        f"{shard.path}: column {image!r} holds {kind}, {why}{did_you_mean(image, others) or '.'} Columns "
        f"with images: {', '.join(others) or 'none'}. Set `source.columns.image`."
    )


def _names_of(shard: Shard, column: str, cells: pd.Series[str], names: Sequence[str]) -> pd.Series[str]:
    """The class that each number stands for; "" where none is known.

    Raises:
        InputError: numbers that stand for none.
    """
    known = {str(i): name for i, name in enumerate(names)} | {"": "", str(NO_LABEL): ""}
    known |= {name: name for name in names if name not in known}  # saved as text
    wrong = cells[~cells.isin(list(known))]
    if len(wrong):
        raise InputError(
            f"{shard.path}: column {column!r} has {list_some(sorted(set(wrong)))} in {len(wrong):,} rows "
            f"(first: row {wrong.index[0]}); its {len(names)} classes are 0 to {len(names) - 1} "
            f"({list_some(list(names))}). Write the file again."
        )
    return cells.map(known)


def _names(shards: Sequence[Shard], sizes: Sequence[int], called: Sequence[str]) -> list[str]:
    """Each image's name: its file's where all have one and no two the same, else file and row."""
    if all(called) and len(set(called)) == len(called):
        return list(called)
    return [f"{shard.name}:{row}" for shard, n in zip(shards, sizes, strict=True) for row in range(n)]
