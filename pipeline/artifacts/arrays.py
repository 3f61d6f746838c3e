"""Named arrays in one `.npz` file: written whole or not at all, read without unpickling."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.artifacts.files import write_atomic
from pipeline.core.errors import ArtifactError
from pipeline.records.base import SCHEMA_VERSION

Arrays = dict[str, npt.NDArray[Any]]
REMEDY = "Run `dvc repro` to make it again."
_VERSION = "schema_version"


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]], *, compressed: bool = False) -> None:
    """Write arrays; the same arrays give the same bytes.

    Raises:
        InputError: the disk is full or the folder is not writable; `path` is as it was before.
    """
    write_atomic(path, lambda temporary: _write(temporary, arrays, compressed))


def _write(path: Path, arrays: Mapping[str, npt.NDArray[Any]], compressed: bool) -> None:
    with path.open("wb") as file:  # given a path, NumPy would add an ending of its own
        (np.savez_compressed if compressed else np.savez)(file, **arrays)  # type: ignore[arg-type]


def load_arrays(path: Path) -> Arrays:
    """Every array of the file.

    Raises:
        ArtifactError: missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. {REMEDY}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). {REMEDY}") from None


def save_record(path: Path, arrays: Mapping[str, npt.NDArray[Any]], *, compressed: bool = False) -> None:
    """`save_arrays` for a file that other versions of this project may read: with the schema version."""
    save_arrays(path, {_VERSION: np.array(SCHEMA_VERSION), **arrays}, compressed=compressed)


def load_record(path: Path, keys: Sequence[str]) -> tuple[npt.NDArray[Any], ...]:
    """The arrays `keys` of what `save_record` wrote.

    Raises:
        ArtifactError: missing, damaged, without one of the keys, or of another schema version.
    """
    arrays = load_arrays(path)
    missing = [key for key in (_VERSION, *keys) if key not in arrays]
    if missing:
        raise ArtifactError(f"{path} cannot be read (no array {missing[0]!r}). {REMEDY}")
    version = int(arrays[_VERSION])
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}. {REMEDY}"
        )
    return tuple(arrays[key] for key in keys)
