"""`margins.npz`: what retrained models make of the test images.

Shape legend: M trainings, N test images.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.artifacts.files import load_artifact, write_atomic
from pipeline.core.errors import ArtifactError
from pipeline.core.results import SCHEMA_VERSION, RetrainResult
from pipeline.core.types import Float32Array, Int64Array

_KEYS = ("schema_version", "ids", "margins")
_REMEDY = "Run `dvc repro` to make it again."


class SavedMargins(NamedTuple):
    ids_N: Int64Array  # of the test images, as in `samples.parquet`
    margins_MN: Float32Array  # log-odds of the label, a row for each of `RetrainResult.trainings`


def save_margins(path: Path, margins: SavedMargins) -> None:
    """Write margins, whole or not at all; the same margins give the same bytes."""
    arrays = (np.array(SCHEMA_VERSION), *margins)
    write_atomic(path, lambda temporary: _write(temporary, dict(zip(_KEYS, arrays, strict=True))))


def _write(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    with path.open("wb") as file:  # given a path, NumPy would add an ending of its own
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_retrained(folder: Path, test_ids_N: Int64Array) -> tuple[RetrainResult, SavedMargins]:
    """The retrained models' record and margins, in the order of the test images `test_ids_N`.

    Raises:
        ArtifactError: missing, damaged, or made from other data.
    """
    result = load_artifact(folder / "retrained.json", RetrainResult)
    path = folder / "margins.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            version, ids_N, margins_MN = (file[key] for key in _KEYS)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. {_REMEDY}") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). {_REMEDY}") from None
    if int(version) != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {int(version)}, this code reads {SCHEMA_VERSION}. {_REMEDY}"
        )
    if margins_MN.shape != (len(result.trainings), len(ids_N)):
        raise ArtifactError(f"{path} does not belong to the retrained.json beside it. {_REMEDY}")
    if not np.array_equal(ids_N, test_ids_N):
        raise ArtifactError(f"{path} was made from other data than is packed now. {_REMEDY}")
    return result, SavedMargins(ids_N, margins_MN)
