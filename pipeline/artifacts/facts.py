"""What a dataset's files say besides their pixels (`data/<dataset>/facts.parquet`): a row for each image.

No training reads them, and they are no part of the packed data's digest.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.datasets import load_packed
from pipeline.artifacts.outputs import remake_command
from pipeline.artifacts.packing import check_packing
from pipeline.artifacts.paths import dataset_dir, facts_path
from pipeline.artifacts.predictions import save_table
from pipeline.artifacts.provenance import PACKING
from pipeline.core.errors import ArtifactError

_TEXT, _WHOLE, _NUMBER, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
# Every column but `id` may be null: not said, not to be read, or not a file.
FACT_COLUMNS = MappingProxyType(
    {
        "id": _WHOLE,  # row of `samples.parquet`
        "width": _WHOLE,  # px, as shown: after EXIF's turn
        "height": _WHOLE,
        "bytes": _WHOLE,
        "bytes_per_pixel": _NUMBER,
        "format": _TEXT,  # as Pillow calls it, like the next
        "mode": _TEXT,
        "bit_depth": _WHOLE,  # bits of each channel, or of a palette's index
        "jpeg_quality": _WHOLE,  # 1 to 100, estimated from the luminance table
        "jpeg_tables": _TEXT,  # 8 hex digits, the same for the same quantization tables
        "subsampling": _TEXT,
        "progressive": _FLAG,
        "exif_make": _TEXT,
        "exif_model": _TEXT,
        "exif_software": _TEXT,
        "exif_orientation": _WHOLE,  # 1 to 8
        "exif_date": _NUMBER,  # s since 1970 by the camera's clock, as if it showed UTC
        "has_gps": _FLAG,
        "has_exif": _FLAG,
        "has_icc": _FLAG,
        "has_alpha": _FLAG,
        "n_frames": _WHOLE,  # at least so many: 1,000 at most, of a GIF or TIFF 2
        "name_tokens": pa.list_(_TEXT),  # without words of classes and splits; "#4": four digits
        "name_number": _NUMBER,  # the first in the file's name
        "order": _WHOLE,  # in the source's table, before the splits; null where folders were listed by us
        "modified": _NUMBER,  # s since 1970
    }
)
_SCHEMA = pa.schema(list(FACT_COLUMNS.items()))
_DTYPES = {  # pandas' that know missing values
    _TEXT: pd.StringDtype(),
    _WHOLE: pd.Int64Dtype(),
    _NUMBER: pd.Float64Dtype(),
    _FLAG: pd.BooleanDtype(),
}


def as_fact_table(columns: dict[str, list[object]]) -> pd.DataFrame:
    """Columns, by name, as the table that is saved: typed, in the order of `FACT_COLUMNS`."""
    table: pd.DataFrame = pa.table(columns, schema=_SCHEMA).to_pandas(types_mapper=_DTYPES.get)
    return table


def save_facts(packed: Path, table: pd.DataFrame, packing: str) -> None:
    """Write the facts of the data, with the digest `packing`, that lie in the folder `packed`."""
    save_table(facts_path(packed), table, packing, _SCHEMA)


def read_facts(dataset: str) -> pd.DataFrame:
    """`load_facts` of a dataset by name."""
    return load_facts(dataset_dir(dataset))


def load_facts(packed: Path) -> pd.DataFrame:
    """The facts of every image packed in a folder, in the order of its `samples.parquet`.

    Returns:
        The columns of `FACT_COLUMNS` in pandas' types that know missing values (`Int64`, `Float64`,
        `boolean`, `string`); `name_tokens` are lists of strings, None where the image is no file.

    Raises:
        StaleError: they were made from other data than are packed now.
        ArtifactError: the table or the packed data are missing or damaged.
    """
    path, info = facts_path(packed), load_packed(packed)
    again = f"Make it again: {remake_command(path)}"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} is not a table of facts ({error}). {again}") from None
    check_packing(path, table.attrs.get(PACKING, ""), info.packing)
    if list(table) != list(FACT_COLUMNS):
        raise ArtifactError(f"{path} has other columns than facts have. {again}")
    if not np.array_equal(table["id"].to_numpy(), np.arange(sum(info.n.values()))):
        raise ArtifactError(f"{path} has facts of other images. {again}")
    tokens = [None if cell is None else list(cell) for cell in table["name_tokens"]]
    table["name_tokens"] = pd.Series(tokens, index=table.index, dtype=object)
    return table
