"""`values.npz`: what each indicator measured of each image, by which methods are compared on the same images.

Shape legend: S models (seeds), R images looked at, C columns that an image's number is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts.arrays import REMEDY, load_record, save_record
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Float64Array, Int64Array

_KEYS = ("ids", "values")


class IndicatorValues(NamedTuple):
    """Of one indicator."""

    ids_R: Int64Array  # as in `samples.parquet`, ascending
    values_SRC: Float64Array  # NaN: not measured


def save_values(path: Path, values: Mapping[str, IndicatorValues]) -> None:
    """Write them by the indicators' names, compressed and whole or not at all."""
    arrays = {
        f"{name}_{key}": array for name, own in values.items() for key, array in zip(_KEYS, own, strict=True)
    }
    save_record(path, arrays, compressed=True)


def load_values(path: Path, names: Sequence[str]) -> dict[str, IndicatorValues]:
    """Those of the indicators `names`, by name.

    Raises:
        ArtifactError: missing, damaged, or of another schema version.
    """
    arrays = load_record(path, [f"{name}_{key}" for name in names for key in _KEYS])
    found = dict(
        zip(names, map(IndicatorValues._make, zip(arrays[::2], arrays[1::2], strict=True)), strict=True)
    )
    for ids_R, values_SRC in found.values():
        if values_SRC.ndim != 3 or values_SRC.shape[1] != len(ids_R):
            shape, n = values_SRC.shape, len(ids_R)
            raise ArtifactError(f"{path} has values of shape {shape} for {n} images. {REMEDY}")
    return found
