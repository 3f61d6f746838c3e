"""`margins.npz`: what retrained models make of the test images.

Shape legend: M trainings, N test images.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.artifacts.arrays import REMEDY, load_record, save_record
from pipeline.artifacts.packing import load_current
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Float32Array, Int64Array, Split
from pipeline.records.retraining import RetrainResult


class RetrainedMargins(NamedTuple):
    ids_N: Int64Array  # of the test images, as in `samples.parquet`
    margins_MN: Float32Array  # log-odds of the label, a row for each of `RetrainResult.trainings`


def save_retrained(path: Path, margins: RetrainedMargins) -> None:
    """Write margins, whole or not at all; the same margins give the same bytes."""
    save_record(path, {"ids": margins.ids_N, "margins": margins.margins_MN})


def load_retrained(folder: Path, test: Split) -> tuple[RetrainResult, RetrainedMargins]:
    """The retrained models' record and margins, in the order of the test split's images.

    Raises:
        ArtifactError: missing, damaged, or made from other data.
    """
    result = load_current(folder / "retrained.json", RetrainResult, test.digest)
    path = folder / "margins.npz"
    ids_N, margins_MN = load_record(path, ("ids", "margins"))
    if margins_MN.shape != (len(result.trainings), len(ids_N)):
        raise ArtifactError(f"{path} does not belong to the retrained.json beside it. {REMEDY}")
    if not np.array_equal(ids_N, test.ids):
        raise ArtifactError(f"{path} has margins of other test images than are packed now. {REMEDY}")
    return result, RetrainedMargins(ids_N, margins_MN)
