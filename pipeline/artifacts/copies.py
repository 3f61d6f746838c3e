"""Which images hygiene found to be copies of one another (`copies.parquet`): a row for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.packing import PACKING, check_packing
from pipeline.artifacts.predictions import save_table
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Int64Array


def save_copies(path: Path, copy_set_N: Int64Array, packing: str) -> None:
    """Write the set of each image of the packed file, in its order; an image without a copy has its own."""
    save_table(path, pd.DataFrame({"id": np.arange(len(copy_set_N)), "copy_set": copy_set_N}), packing)


def load_copies(path: Path, packing: str) -> Int64Array | None:
    """The set of each image, in the order of the packed file; None where there is no such file.

    Raises:
        StaleError: it was made from other data.
        ArtifactError: the file is no such table.
    """
    if not path.exists():
        return None
    try:
        table = pd.read_parquet(path)
        copy_set_N = table["copy_set"].to_numpy(np.int64)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path} is not a table of copies ({error}). Run `dvc repro` to make it again."
        ) from None
    check_packing(path, table.attrs.get(PACKING, ""), packing)
    return copy_set_N
