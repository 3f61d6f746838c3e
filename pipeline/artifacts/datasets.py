"""The packed dataset and its groups.

`images.npy`, `masks.npy` (maybe empty), `samples.parquet` and `dataset.json` are what stage `data` packs;
`groups.parquet` and `groups.json` say which group each image is in.

One file of uint8 pixels instead of tens of thousands of image files keeps DVC fast and lets every
reader map it into memory. Rows are sorted train, val, test, so a split is one slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.files import fresh_files, load_artifact, save_artifact
from pipeline.artifacts.packing import digest_groups, load_current
from pipeline.artifacts.paths import GROUPS_FILES, DataFolders
from pipeline.artifacts.provenance import file_digest
from pipeline.core.errors import ArtifactError
from pipeline.core.types import SPLIT_NAMES, Int64Array, PackedSplit, Split, SplitName, UInt8Array
from pipeline.records.data import AttributeInfo, DatasetInfo, GroupsInfo, PackedInfo

SAMPLE_COLUMNS = ("id", "file", "label", "split")
GROUP_COLUMNS = ("id", "attribute", "group")


def load_packed(folder: Path) -> PackedInfo:
    """`dataset.json` of a packed dataset."""
    return load_artifact(folder / "dataset.json", PackedInfo)


def load_info(folders: DataFolders) -> DatasetInfo:
    """What is known of a packed dataset and its groups.

    Raises:
        StaleError: the groups are of other data than are packed now.
        ArtifactError: a file is missing or damaged.
    """
    packed = load_packed(folders.packed)
    return DatasetInfo.of(packed, load_current(folders.groups / "groups.json", GroupsInfo, packed.packing))


def digest_files(folders: DataFolders) -> tuple[str, ...]:
    """sha256 of what a training reads: table, pixels and groups."""
    packed = (file_digest(folders.packed / name) for name in ("samples.parquet", "images.npy"))
    return *packed, file_digest(folders.groups / "groups.parquet")


def load_samples(folder: Path) -> pd.DataFrame:
    """`samples.parquet`: one row per image, `id` = row of `images.npy`.

    Columns: those of `SAMPLE_COLUMNS`, every annotated attribute as `attr_<name>`, `source` (scene,
    patient or video; may be null) where images have one, and `label_flipped` where label noise is known.
    """
    return _read_table(folder / "samples.parquet", SAMPLE_COLUMNS)


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not path.exists():
        raise ArtifactError(f"{path} does not exist. Run `dvc repro` to make it again.")
    table = pd.read_parquet(path)
    missing = [column for column in columns if column not in table]
    if missing:
        raise ArtifactError(f"{path} lacks the columns {missing}. Run `dvc repro` to make it again.")
    return table


def load_split(folders: DataFolders, name: SplitName) -> Split:
    """One split with its groups, its pixels memory-mapped and not read yet.

    Raises:
        ArtifactError: as for `load_info`, or the tables are of other images.
    """
    digest, packed = load_info(folders).digest, load_packed_split(folders.packed, name)
    path = folders.groups / "groups.parquet"
    table = _read_table(path, GROUP_COLUMNS)
    rows = packed.ids  # a row for each image of the packed file, in its order
    if len(table) <= rows.max(initial=-1) or (table["id"].to_numpy()[rows] != rows).any():
        raise ArtifactError(f"{path} has groups of other images than {name}'s. Run `dvc repro` again.")
    attributes, groups = (table[column].to_numpy(np.int64)[rows] for column in ("attribute", "group"))
    own = {field.name: getattr(packed, field.name) for field in fields(packed)}
    return Split(**own, attributes=attributes, groups=groups, digest=digest)


def load_packed_split(folder: Path, name: SplitName) -> PackedSplit:
    """One split without groups, its pixels memory-mapped and not read yet."""
    samples, info = load_samples(folder), load_packed(folder)
    images = map_array(folder / "images.npy")
    masks = map_masks(folder)
    rows = samples.index[samples["split"] == name].to_numpy()
    if len(images) != len(samples) or (masks is not None and len(masks) != len(samples)):
        raise ArtifactError(f"{folder}: {len(samples)} rows but {len(images)} images. Run `dvc repro` again.")
    start, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    part = samples.iloc[start:stop]
    flipped = part["label_flipped"].to_numpy(bool) if "label_flipped" in part else None
    return PackedSplit(
        name=name,
        images=images[start:stop],
        labels=part["label"].to_numpy(np.int64),
        ids=part["id"].to_numpy(np.int64),
        files=part["file"].to_numpy(str),
        masks=None if masks is None else masks[start:stop],
        label_flipped=flipped,
        annotated=_annotated_codes(part, info.attributes),
        packing=info.packing,
        sources=source_codes(samples)[start:stop] if "source" in samples else None,
    )


def map_masks(folder: Path) -> UInt8Array | None:
    """The masks of all packed images, memory-mapped; None where no image has one."""
    path = folder / "masks.npy"
    masks = map_array(path) if path.exists() else None
    # DVC needs each output, so that one is written even where no image has a mask
    return masks if masks is not None and len(masks) else None


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
        if column in samples:
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
    """Check the row order that splits rely on, and write `samples.parquet`."""
    order = samples["split"].map({name: i for i, name in enumerate(SPLIT_NAMES)}).to_numpy()
    if (np.diff(order) < 0).any() or (samples["id"].to_numpy() != np.arange(len(samples))).any():
        raise ArtifactError("samples must be sorted train, val, test with ids 0..n-1")
    samples.to_parquet(folder / "samples.parquet", index=False)


def write_groups(folder: Path, info: GroupsInfo, values_N: Int64Array, groups_N: Int64Array) -> GroupsInfo:
    """Write `groups.parquet`, a row for each image of the packed file, and, last, `groups.json`.

    Returns:
        `info` with the digest of both and of the packed data.
    """
    with fresh_files(folder, GROUPS_FILES) as temporary:
        table = pd.DataFrame({"id": np.arange(len(groups_N)), "attribute": values_N, "group": groups_N})
        table.to_parquet(temporary / "groups.parquet", index=False)
        digest = digest_groups(temporary, info, info.provenance.data)
        info = info.model_copy(update={"digest": digest})
        save_artifact(temporary / "groups.json", info)
    return info
