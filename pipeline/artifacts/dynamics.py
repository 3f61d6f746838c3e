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
from pipeline.core.types import Dynamics, Float64Array

_COLUMNS: dict[str, type[np.generic]] = {
    "seed": np.int64,
    "id": np.int64,
    "aum": np.float64,
    "n_drawn": np.int64,
}
_ADDED: dict[str, type[np.generic]] = {
    "forgetting": np.float64,
    "n_right": np.float64,
    "el2n": np.float64,
}  # older tables lack them


def save_dynamics(path: Path, by_seed: Mapping[int, Dynamics]) -> None:
    """Write the table; `Dynamics.reason` is the history's to tell."""
    columns = _COLUMNS | _ADDED
    parts = [
        pd.DataFrame(
            {"seed": seed, "id": found.ids, "aum": found.aum, "n_drawn": found.n_drawn}
            | {name: _or_unknown(getattr(found, name), len(found.ids)) for name in _ADDED}
        )
        for seed, found in by_seed.items()
    ]
    empty = pd.DataFrame({name: np.empty(0, kind) for name, kind in columns.items()})
    table = pd.concat(parts, ignore_index=True).astype(columns) if parts else empty
    write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))


def load_dynamics(path: Path) -> dict[int, Dynamics]:
    """By seed, in the table's order.

    Raises:
        ArtifactError: the file is missing or is no such table.
    """
    try:
        whole = pd.read_parquet(path)
        added = {name: kind for name, kind in _ADDED.items() if name in whole}
        table = whole[[*_COLUMNS, *added]].astype(_COLUMNS | added)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path} is not a table of training dynamics ({error}). Run `dvc repro` to make it again."
        ) from None
    parts = {int(seed): table[table["seed"] == seed] for seed in table["seed"].unique()}
    return {
        seed: Dynamics(
            part["id"].to_numpy(),
            part["aum"].to_numpy(),
            part["n_drawn"].to_numpy(),
            **{name: part[name].to_numpy() for name in added},
        )
        for seed, part in parts.items()
    }


def _or_unknown(values_N: Float64Array | None, n: int) -> Float64Array:
    return np.full(n, np.nan) if values_N is None else values_N
