"""Which images hygiene found odd (`odd_images.parquet`): a row for each image, a column for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.packing import PACKING, check_packing
from pipeline.artifacts.predictions import save_table
from pipeline.core.errors import ArtifactError
from pipeline.core.types import BoolArray


def save_odd_images(path: Path, is_odd: Mapping[str, BoolArray], packing: str) -> None:
    """Write whether each image of the packed file, in its order, is odd, by kind."""
    save_table(path, pd.DataFrame(dict(is_odd)), packing)


def load_odd_images(path: Path, packing: str) -> dict[str, BoolArray]:
    """Whether each image is odd, in the order of the packed file, by kind.

    Raises:
        StaleError: it was made from other data.
        ArtifactError: the file is missing or no such table.
    """
    try:
        table = pd.read_parquet(path)
        is_odd = {str(kind): table[kind].to_numpy(np.bool_) for kind in table}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path} is not a table of odd images ({error}). Run `dvc repro` to make it again."
        ) from None
    check_packing(path, table.attrs.get(PACKING, ""), packing)
    return is_odd
