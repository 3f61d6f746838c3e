"""What training noted about each training image (`dynamics.parquet`): a row for every seed and image.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.files import write_atomic
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Dynamics

_COLUMNS = {"seed": np.int64, "id": np.int64, "aum": np.float64, "n_drawn": np.int64}


def save_dynamics(path: Path, by_seed: Mapping[int, Dynamics]) -> None:
    """Write the table; `Dynamics.reason` is the history's to tell."""
    parts = [
        pd.DataFrame({"seed": seed, "id": found.ids, "aum": found.aum, "n_drawn": found.n_drawn})
        for seed, found in by_seed.items()
    ]
    empty = pd.DataFrame({name: np.empty(0, kind) for name, kind in _COLUMNS.items()})
    table = pd.concat(parts, ignore_index=True).astype(_COLUMNS) if parts else empty
    write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))


def load_dynamics(path: Path) -> dict[int, Dynamics]:
    """By seed, in the table's order.

    Raises:
        ArtifactError: the file is missing or is no such table.
    """
    try:
        table = pd.read_parquet(path, columns=list(_COLUMNS)).astype(_COLUMNS)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path} is not a table of training dynamics ({error}). Run `dvc repro` to make it again."
        ) from None
    parts = {int(seed): table[table["seed"] == seed] for seed in table["seed"].unique()}
    return {
        seed: Dynamics(part["id"].to_numpy(), part["aum"].to_numpy(), part["n_drawn"].to_numpy())
        for seed, part in parts.items()
    }
