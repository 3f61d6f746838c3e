"""`maps.npz`: the raw GradCAM maps of one method.

Shape legend: S models (seeds), N images, h w cells of a map.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.artifacts.arrays import REMEDY, load_record, save_record
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Float32Array, Int64Array

_KEYS = ("seeds", "ids", "predicted", "maps")


class SavedMaps(NamedTuple):
    seeds_S: Int64Array
    ids_N: Int64Array  # of the images, as in `samples.parquet`
    predicted_SN: Int64Array  # the class that each map is of
    maps_SNhw: Float32Array  # in the logits' own units, neither scaled nor upsampled


def save_maps(path: Path, maps: SavedMaps) -> None:
    """Write maps, compressed and whole or not at all; the same maps give the same bytes."""
    save_record(path, dict(zip(_KEYS, maps, strict=True)), compressed=True)


def load_maps(path: Path, *, like: SavedMaps | None = None) -> SavedMaps:
    """Read maps; with `like`, only maps of the same images in the same order.

    Raises:
        ArtifactError: missing, damaged, of another schema version, or of other images than `like`.
    """
    seeds_S, ids_N, predicted_SN, maps_SNhw = load_record(path, _KEYS)
    shape = (len(seeds_S), len(ids_N))
    if maps_SNhw.ndim != 4 or maps_SNhw.shape[:2] != shape or predicted_SN.shape != shape:
        raise ArtifactError(
            f"{path} has maps of shape {maps_SNhw.shape} for {len(seeds_S)} models and {len(ids_N)} images. "
            f"{REMEDY}"
        )
    if like is not None and not np.array_equal(ids_N, like.ids_N):
        raise ArtifactError(f"{path} has maps of other images than the method it is compared with. {REMEDY}")
    return SavedMaps(seeds_S, ids_N, predicted_SN, maps_SNhw)
