"""The packed dataset: `images.npy`, `masks.npy` (maybe empty), `samples.parquet`, `dataset.json`.

One file of uint8 pixels instead of tens of thousands of image files keeps DVC fast and lets every
reader map it into memory. Rows are sorted train, val, test, so a split is one slice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.files import load_artifact
from pipeline.core.errors import ArtifactError
from pipeline.core.types import SPLIT_NAMES, Int64Array, Split, SplitName, UInt8Array
from pipeline.records.data import AttributeInfo, DatasetInfo

PACKED_FILES = (
    "images.npy",
    "masks.npy",
    "samples.parquet",
    "dataset.json",
)  # the last vouches for the others
SAMPLE_COLUMNS = ("id", "file", "label", "attribute", "group", "split")


def load_info(folder: Path) -> DatasetInfo:
    """`dataset.json` of a packed dataset."""
    return load_artifact(folder / "dataset.json", DatasetInfo)


def load_samples(folder: Path) -> pd.DataFrame:
    """`samples.parquet`: one row per image, `id` = row of `images.npy`.

    Columns: those of `SAMPLE_COLUMNS`, every annotated attribute as `attr_<name>`, `source` (scene,
    patient or video; may be null) where images have one, and `label_flipped` where label noise is known.
    """
    path = folder / "samples.parquet"
    if not path.exists():
        raise ArtifactError(f"{path} does not exist. Run `dvc repro` to make it again.")
    samples = pd.read_parquet(path)
    missing = [column for column in SAMPLE_COLUMNS if column not in samples]
    if missing:
        raise ArtifactError(f"{path} lacks the columns {missing}. Run `dvc repro` to make it again.")
    return samples


def load_split(folder: Path, name: SplitName) -> Split:
    """One split, its pixels memory-mapped and not read yet."""
    samples, info = load_samples(folder), load_info(folder)
    images = map_array(folder / "images.npy")
    masks_path = folder / "masks.npy"
    masks = map_array(masks_path) if masks_path.exists() else None
    if masks is not None and not len(masks):
        masks = None  # DVC needs each output, so that one is written even where no image has a mask
    rows = samples.index[samples["split"] == name].to_numpy()
    if len(images) != len(samples) or (masks is not None and len(masks) != len(samples)):
        raise ArtifactError(f"{folder}: {len(samples)} rows but {len(images)} images. Run `dvc repro` again.")
    start, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    part = samples.iloc[start:stop]
    flipped = part["label_flipped"].to_numpy(bool) if "label_flipped" in part else None
    return Split(
        name=name,
        images=images[start:stop],
        labels=part["label"].to_numpy(np.int64),
        attributes=part["attribute"].to_numpy(np.int64),
        groups=part["group"].to_numpy(np.int64),
        ids=part["id"].to_numpy(np.int64),
        files=part["file"].to_numpy(str),
        masks=None if masks is None else masks[start:stop],
        label_flipped=flipped,
        annotated=_annotated_codes(part, info.attributes),
        packing=info.digest,
        sources=source_codes(samples)[start:stop] if "source" in samples else None,
    )


def source_codes(samples: pd.DataFrame) -> Int64Array:
    """A number per image, equal for those of one source; an image without one is a source by itself."""
    codes = pd.factorize(samples["source"])[0].astype(np.int64)  # -1 where there is none
    alone = codes < 0
    codes[alone] = len(samples) + np.flatnonzero(alone)
    return codes


def _annotated_codes(samples: pd.DataFrame, attributes: list[AttributeInfo]) -> dict[str, Int64Array]:
    """Index of each image's value in every annotated attribute's list of values."""
    found = {}
    for attribute in attributes:
        column = f"attr_{attribute.name}"
        if attribute.origin == "annotated" and column in samples:
            codes = pd.Categorical(samples[column].astype(str), categories=attribute.values).codes
            if (codes < 0).any():
                raise ArtifactError(
                    f"samples.parquet has values of {attribute.name!r} that dataset.json does not list. "
                    "Run `dvc repro` to make both again."
                )
            found[attribute.name] = codes.astype(np.int64)
    return found


def map_array(path: Path) -> UInt8Array:
    """Memory-map a uint8 `.npy` file read-only.

    Raises:
        ArtifactError: missing, truncated or not a plain array.
    """
    try:
        array: UInt8Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. Run `dvc repro` to make it again.") from None
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). Run `dvc repro` again.") from None
    return array


def write_samples(folder: Path, samples: pd.DataFrame) -> None:
    """Check the row order that `load_split` relies on, and write `samples.parquet`."""
    order = samples["split"].map({name: i for i, name in enumerate(SPLIT_NAMES)}).to_numpy()
    if (np.diff(order) < 0).any() or (samples["id"].to_numpy() != np.arange(len(samples))).any():
        raise ArtifactError("samples must be sorted train, val, test with ids 0..n-1")
    samples.to_parquet(folder / "samples.parquet", index=False)
