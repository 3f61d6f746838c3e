"""`predictions.parquet`: one row per image, seed and split.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.errors import ArtifactError
from pipeline.core.types import Int64Array, Split


def load_predictions(path: Path, split: Split) -> tuple[list[int], Int64Array]:
    """Seeds and predicted classes S x N, in the order of `split`'s images.

    Raises:
        ArtifactError: the file is missing or belongs to other data.
    """
    if not path.exists():
        raise ArtifactError(f"{path} does not exist. Run `dvc repro` to make it again.")
    table = pd.read_parquet(path, filters=[("split", "==", split.name)])
    seeds = [int(seed) for seed in table["seed"].unique()]
    rows = [table[table["seed"] == seed] for seed in seeds]
    if any(not np.array_equal(part["id"].to_numpy(), split.ids) for part in rows):
        raise ArtifactError(f"{path} was made from other data than is packed now. Run `dvc repro` again.")
    return seeds, np.stack([part["predicted"].to_numpy(np.int64) for part in rows])
