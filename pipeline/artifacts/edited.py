"""`edited.npz`: a few changed images of every intervention, with what was predicted before and after.

Shape legend: M changed images, H height, W width.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.artifacts.arrays import REMEDY, Arrays, load_record, save_record
from pipeline.artifacts.packing import check_packing
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Int64Array, UInt8Array

_KEYS = ("edits", "ids", "before", "after", "images")
_MADE_FROM = "made_from"


class EditedImages(NamedTuple):
    edits_M: npt.NDArray[np.str_]  # names of interventions and exchanges
    ids_M: Int64Array  # of the test images, as in `samples.parquet`
    before_M: Int64Array  # classes that the first seed's model predicts on the image as it is
    after_M: Int64Array  # and on the changed one
    images_MHW3: UInt8Array  # the very pixels that were predicted


def save_edited(path: Path, edited: EditedImages, packing: str) -> None:
    """Write changed images of the data with the digest `packing`, compressed and whole or not at all."""
    arrays: Arrays = dict(zip(_KEYS, edited, strict=True))
    save_record(path, {_MADE_FROM: np.array(packing), **arrays}, compressed=True)


def load_edited(path: Path, packing: str) -> EditedImages:
    """Read the changed images of the data with the digest `packing`.

    Raises:
        ArtifactError: missing, damaged, of another schema version, or made from other data.
    """
    made_from, edits_M, ids_M, before_M, after_M, images_MHW3 = load_record(path, (_MADE_FROM, *_KEYS))
    check_packing(path, str(made_from), packing)
    if images_MHW3.ndim != 4 or {len(a) for a in (edits_M, ids_M, before_M, after_M)} != {len(images_MHW3)}:
        raise ArtifactError(f"{path} has {len(ids_M)} ids for images of shape {images_MHW3.shape}. {REMEDY}")
    return EditedImages(edits_M, ids_M, before_M, after_M, images_MHW3)
