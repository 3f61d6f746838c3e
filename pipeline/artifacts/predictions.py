"""Predictions of trained models (`predictions.parquet`) and of color alone (`color_predictions.parquet`).

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.files import write_atomic
from pipeline.artifacts.packing import check_packing
from pipeline.artifacts.provenance import PACKING
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Float64Array, Int64Array, PackedSplit, Split

_AGAIN = "Run `dvc repro` to make it again."
CONFIDENCE = "confidence"  # the column, where probabilities are known
_COLUMNS = ("id", "label", "group", "predicted")


class ColorPredictions(NamedTuple):
    """What the linear color-only classifier, fitted on train, says about a split's images."""

    predicted: Int64Array  # N, class
    p_true: Float64Array  # N, probability given to the image's label


class ScoredPredictions(NamedTuple):
    """A split's predictions with what they are compared with, as stored."""

    seeds: list[int]
    ids: Int64Array
    labels: Int64Array
    groups: Int64Array
    predicted_SN: Int64Array
    sources: Int64Array | None = None  # N, scene or patient of each image


def save_table(path: Path, table: pd.DataFrame, packing: str, schema: pa.Schema | None = None) -> None:
    """Write a table of predictions, with the digest of the data that they are about.

    Args:
        schema: types of the columns; None: those that the values show.
    """
    table.attrs[PACKING] = packing  # kept in the file's own notes
    write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False, schema=schema))


def load_scored(path: Path, split_name: str) -> ScoredPredictions | None:
    """The predictions of a split without its images; None where there is no such file or split.

    Raises:
        ArtifactError: the file is not a table of predictions, or its seeds saw different images.
    """
    if not path.exists():
        return None
    try:
        table = pd.read_parquet(path, filters=[("split", "==", split_name)])
        rows = [part for _, part in table.groupby("seed", sort=False)]
        names = [*_COLUMNS, *(["source"] if "source" in table else [])]
        columns = {name: [part[name].to_numpy(np.int64) for part in rows] for name in names}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path} is not a table of predictions ({error}). Run `dvc repro` again."
        ) from None
    if not rows:
        return None
    if any(not np.array_equal(ids, columns["id"][0]) for ids in columns["id"]):
        raise ArtifactError(f"{path}: the seeds were scored on different images. Run `dvc repro` again.")
    return ScoredPredictions(
        seeds=[int(seed) for seed in table["seed"].unique()],
        ids=columns["id"][0],
        labels=columns["label"][0],
        groups=columns["group"][0],
        predicted_SN=np.stack(columns["predicted"]),
        sources=columns["source"][0] if "source" in columns else None,
    )


def has_split(path: Path, split_name: str) -> bool:
    """Whether a table of predictions has any of a split."""
    return len(pd.read_parquet(path, columns=["split"], filters=[("split", "==", split_name)])) > 0


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
    check_packing(path, table.attrs.get(PACKING, ""), split.digest)
    if any(not np.array_equal(part["id"].to_numpy(), split.ids) for part in rows):
        raise ArtifactError(f"{path} has predictions for other images than {split.name}'s. {_AGAIN}")
    return seeds, np.stack([part["predicted"].to_numpy(np.int64) for part in rows])


def load_confidences(path: Path, split: Split) -> Float64Array | None:
    """Probability S x N of each predicted class, as `load_predictions`; None where nobody knows it."""
    seeds, _ = load_predictions(path, split)
    table = pd.read_parquet(path, filters=[("split", "==", split.name)])
    if CONFIDENCE not in table:
        return None
    return np.stack([table.loc[table["seed"] == seed, CONFIDENCE].to_numpy(np.float64) for seed in seeds])


def control_column(control: str) -> str:
    """The column of what models trained without other images predict; on test images only."""
    return f"predicted_{control}"


def load_control(path: Path, split: Split, control: str) -> Int64Array:
    """A control's predicted classes S x N, as `load_predictions`.

    Raises:
        ArtifactError: the file is missing, belongs to other data or has no such control.
    """
    seeds, _ = load_predictions(path, split)
    table = pd.read_parquet(path, filters=[("split", "==", split.name)])
    column = control_column(control)
    if column not in table:
        raise ArtifactError(f"{path} has no column {column}. {_AGAIN}")
    return np.stack([table.loc[table["seed"] == seed, column].to_numpy(np.int64) for seed in seeds])


def load_color_predictions(path: Path, split: PackedSplit) -> ColorPredictions:
    """The color-only predictions of the test split, in the order of `split`'s images.

    The file has one row per test image (id, predicted, p_true), so `split` is the complete test split.

    Raises:
        ArtifactError: the file is missing or belongs to other data.
    """
    if not path.exists():
        raise ArtifactError(f"{path} does not exist. Run `dvc repro` to make it again.")
    table = pd.read_parquet(path)
    check_packing(path, table.attrs.get(PACKING, ""), split.packing)
    if not np.array_equal(table["id"].to_numpy(), split.ids):
        raise ArtifactError(f"{path} has predictions for other images than {split.name}'s. {_AGAIN}")
    return ColorPredictions(table["predicted"].to_numpy(np.int64), table["p_true"].to_numpy(np.float64))
