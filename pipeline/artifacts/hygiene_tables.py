"""What hygiene found of each image, a row for each: `copies`, `odd_images` and `properties.parquet`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.packing import check_packing
from pipeline.artifacts.paths import color_dir
from pipeline.artifacts.predictions import save_table
from pipeline.artifacts.provenance import PACKING
from pipeline.core.errors import ArtifactError
from pipeline.core.types import BoolArray, Float32Array, Int64Array, PackedSplit
from pipeline.statistics.sources import merge_sources

_log = logging.getLogger(__name__)
S = TypeVar("S", bound=PackedSplit)
# What each image is like; NaN: it has no such thing.
PROPERTIES = MappingProxyType(
    {
        "lightness": "CIELAB L* of the average color, 0 to 100",
        "green_red": "its a*: green (-) to red (+)",
        "blue_yellow": "its b*: blue (-) to yellow (+)",
        "chroma": "its distance from gray",
        "border_lightness": "L* of the border ring's average color",
        "contrast": "standard deviation of L* over pixels",
        "edges": "share of pixels on an edge",
        "noise": "log of how much neighbors differ where there is no edge",
        "object_size": "share of the pixels in the mask; NaN without one",
        "sharpness": "log of the Laplacian's variance over the luma's; NaN where luma is flat",
    }
)
MIN_PICTURES = 10  # of a class in training; in fewer sets of copies every cue would seem to be absent


def save_copies(path: Path, copy_set_N: Int64Array, packing: str) -> None:
    """Write the set of each image of the packed file, in its order; an image without a copy has its own."""
    save_table(path, pd.DataFrame({"id": np.arange(len(copy_set_N)), "copy_set": copy_set_N}), packing)


def load_copies(path: Path, packing: str) -> Int64Array | None:
    """The set of each image, in the order of the packed file; None where there is no such file.

    Raises:
        StaleError: it was made from other data.
        ArtifactError: the file is no such table.
    """
    if not path.exists():
        return None
    return _load(path, packing, ["copy_set"])["copy_set"].to_numpy(np.int64)


def save_odd_images(path: Path, is_odd: Mapping[str, BoolArray], packing: str) -> None:
    """Write whether each image of the packed file, in its order, is odd, by kind."""
    save_table(path, pd.DataFrame({"id": np.arange(len(next(iter(is_odd.values())))), **is_odd}), packing)


def load_odd_images(path: Path, packing: str) -> dict[str, BoolArray]:
    """Whether each image is odd, in the order of the packed file, by kind.

    Raises:
        StaleError: it was made from other data.
        ArtifactError: the file is missing, or no such table.
    """
    table = _load(path, packing)
    return {str(kind): table[kind].to_numpy(np.bool_) for kind in table if kind != "id"}


def save_properties(path: Path, properties: Mapping[str, Float32Array], packing: str) -> None:
    """Write the numbers of `PROPERTIES` of each image of the packed file, in its order."""
    columns = {name: np.asarray(properties[name], np.float32) for name in PROPERTIES}
    save_table(path, pd.DataFrame({"id": np.arange(len(columns["lightness"])), **columns}), packing)


def load_properties(path: Path, packing: str) -> dict[str, Float32Array]:
    """The numbers of `PROPERTIES` by name, in the order of the packed file.

    Raises:
        StaleError: they were made from other data.
        ArtifactError: the file is missing, or no such table.
    """
    table = _load(path, packing, list(PROPERTIES))
    return {name: table[name].to_numpy(np.float32) for name in PROPERTIES}


def _load(path: Path, packing: str, columns: list[str] | None = None) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path, columns=columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} is not a table of hygiene's ({error}). Run `dvc repro` again.") from None
    check_packing(path, table.attrs.get(PACKING, ""), packing)
    return table


def fold_copies(dataset: str, train: S, test: S) -> tuple[S, S]:
    """The splits with copies of an image as one source, like frames of one scene.

    Where hygiene has not run, a copy counts as an image of its own, which is said.
    """
    copy_set_N = load_copies(color_dir(dataset) / "copies.parquet", train.packing)
    if copy_set_N is None:
        _log.info(
            "%s: copies of images were not looked for, each image counts by itself; "
            "`shortcut-audit hygiene %s` before this finds them",
            dataset, dataset,
        )  # fmt: skip
        return train, test
    copies_N = copy_set_N[np.concatenate([train.ids, test.ids])]
    if len(np.unique(copies_N)) == len(copies_N):
        return train, test
    given = None
    if train.sources is not None and test.sources is not None:
        given = np.concatenate([train.sources, test.sources])
    merged_N = merge_sources(given, copies_N)
    assert merged_N is not None
    n = len(train)
    left = min(len(np.unique(merged_N[:n][train.labels == label])) for label in np.unique(train.labels))
    if left < MIN_PICTURES:
        _log.warning(
            "%s: joined by copies, the training images of a class fall into %d sets. No fold could learn the "
            "class without them, so copies count by themselves: color may be memory",
            dataset, left,
        )  # fmt: skip
        return train, test
    return replace(train, sources=merged_N[:n]), replace(test, sources=merged_N[n:])
