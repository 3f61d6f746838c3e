"""`maps.npz`: the raw GradCAM maps of one method.

Shape legend: S models (seeds), N images, h w cells of a map.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.artifacts.files import write_atomic
from pipeline.core.errors import ArtifactError
from pipeline.core.results import SCHEMA_VERSION
from pipeline.core.types import Float32Array, Int64Array

_KEYS = ("schema_version", "seeds", "ids", "predicted", "maps")


class SavedMaps(NamedTuple):
    seeds_S: Int64Array
    ids_N: Int64Array  # of the images, as in `samples.parquet`
    predicted_SN: Int64Array  # the class that each map is of
    maps_SNhw: Float32Array  # in the logits' own units, neither scaled nor upsampled


def save_maps(path: Path, maps: SavedMaps) -> None:
    """Write maps, compressed and whole or not at all; the same maps give the same bytes."""
    arrays = (np.array(SCHEMA_VERSION), *maps)
    write_atomic(path, lambda temporary: _write(temporary, dict(zip(_KEYS, arrays, strict=True))))


def _write(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    with path.open("wb") as file:  # given a path, NumPy would add an ending of its own
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_maps(path: Path, *, like: SavedMaps | None = None) -> SavedMaps:
    """Read maps; with `like`, only maps of the same images in the same order.

    Raises:
        ArtifactError: missing, damaged, of another schema version, or of other images than `like`.
    """
    remedy = "Run `dvc repro` to make it again."
    try:
        with np.load(path, allow_pickle=False) as file:
            version, seeds_S, ids_N, predicted_SN, maps_SNhw = (file[key] for key in _KEYS)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. {remedy}") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). {remedy}") from None
    if int(version) != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {int(version)}, this code reads {SCHEMA_VERSION}. {remedy}"
        )
    shape = (len(seeds_S), len(ids_N))
    if maps_SNhw.ndim != 4 or maps_SNhw.shape[:2] != shape or predicted_SN.shape != shape:
        raise ArtifactError(
            f"{path} has maps of shape {maps_SNhw.shape} for {len(seeds_S)} models and {len(ids_N)} images. "
            f"{remedy}"
        )
    if like is not None and not np.array_equal(ids_N, like.ids_N):
        raise ArtifactError(f"{path} has maps of other images than the method it is compared with. {remedy}")
    return SavedMaps(seeds_S, ids_N, predicted_SN, maps_SNhw)
