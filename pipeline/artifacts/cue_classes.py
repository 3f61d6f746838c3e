"""`cue_classes.parquet`: the class that each found cue alone names, of every image of the packed file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.artifacts.packing import check_packing
from pipeline.artifacts.predictions import save_table
from pipeline.artifacts.provenance import PACKING
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Int64Array, PackedSplit, SplitName

_KEYS = ("split", "id")


@dataclass(frozen=True)
class CueClasses:
    """Columns by cue (`CueFinding.column`), rows as in the packed file."""

    path: Path
    table: pd.DataFrame

    def of(self, column: str, split: PackedSplit) -> Int64Array:
        """The class, 0..K-1, that the cue names of each of a split's images.

        Raises:
            ArtifactError: no such cue, or the table is of other images.
        """
        if column not in self.table or len(self.table) <= split.ids.max(initial=-1):
            raise ArtifactError(
                f"{self.path} does not hold {column} of {split.name}'s images. {_again(self.path)}"
            )
        return self.table[column].to_numpy(np.int64)[split.ids]


def save_cue_classes(
    path: Path,
    splits: Mapping[SplitName, PackedSplit],
    named: Mapping[SplitName, Mapping[str, Int64Array]],
    packing: str,
) -> None:
    """Write a row for each image, in the order of the packed file.

    Args:
        named: split -> column -> class of each of its images.
    """
    parts = [
        pd.DataFrame({"split": name, "id": split.ids, **named.get(name, {})})
        for name, split in splits.items()
    ]
    table = pd.concat(parts, ignore_index=True).sort_values("id", ignore_index=True)
    save_table(path, table, packing)


def load_cue_classes(path: Path, packing: str) -> CueClasses:
    """What `save_cue_classes` wrote.

    Raises:
        StaleError: it was made from other data.
        ArtifactError: the file is missing, or no such table.
    """
    if not path.exists():
        raise ArtifactError(f"{path} does not exist. {_again(path)}")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArtifactError(f"{path} is not a table of cues' classes ({error}). {_again(path)}") from None
    if any(key not in table for key in _KEYS) or (table["id"].to_numpy() != np.arange(len(table))).any():
        raise ArtifactError(f"{path} is not a table of cues' classes. {_again(path)}")
    check_packing(path, table.attrs.get(PACKING, ""), packing)
    return CueClasses(path, table)


def _again(path: Path) -> str:
    return f"Run `dvc repro cues@{path.parent.name}`."
