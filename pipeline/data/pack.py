"""Pack a dataset: `images.npy`, `masks.npy`, `samples.parquet` and, last, `dataset.json`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.datasets import PACKED_FILES, write_samples
from pipeline.artifacts.files import fresh_files, require_space, save_artifact
from pipeline.artifacts.packing import digest_packing
from pipeline.core.types import SPLIT_NAMES, Int64Array
from pipeline.data.decoding.pixels import Gathered, check_unreadable, note_files, write_pixels
from pipeline.data.fingerprint import fingerprint_files
from pipeline.data.groups import (
    Attribute,
    Groups,
    derive_attribute,
    make_groups,
    no_attribute,
    ring_feature_name,
)
from pipeline.data.names.naming import list_some
from pipeline.data.plan import Plan, check_classes_per_split, make_plan
from pipeline.data.raw import RawDataset
from pipeline.data.scenes import count_sources, source_notes
from pipeline.data.splits import TEST, TRAIN, VAL
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo, SourceInfo
from pipeline.settings.data import DataSettings


def pack_dataset(
    raw: RawDataset, settings: DataSettings, *, name: str, folder: Path, provenance: Provenance
) -> DatasetInfo:
    """Decode, split and group `raw`, and write the packed dataset's files to `folder`.

    Raises:
        InputError: names, labels, splits, attributes, images or masks that cannot be used, each
            named with the remedy; the disk is full. `folder` is then as it was before.
    """
    plan = make_plan(raw, settings)
    ring_name = ring_feature_name(settings, is_annotated=bool(plan.attributes))
    _check_free_space(folder, len(plan.rows), settings.image_size, plan.has_masks)
    with fresh_files(folder, PACKED_FILES) as temporary:
        gathered = write_pixels(plan, settings, temporary, ring_name=ring_name)
        check_unreadable(gathered, len(plan.rows), settings)
        plan = plan.take(np.array(gathered.kept, np.int64))
        check_classes_per_split(plan)
        attributes, notes = _attributes(plan, settings, gathered, ring_name)
        groups = make_groups(
            raw, plan.classes, plan.labels, attributes[0], splits=plan.splits, group_by=settings.group_by
        )
        sources = count_sources(raw, plan.sources, plan.splits)
        notes = [
            *source_notes(sources, int((plan.splits == TEST).sum())),
            *raw.notes,
            *plan.notes,
            *notes,
            *_group_notes(groups),
            *_pixel_notes(gathered, plan),
        ]
        mean, std = _channel_moments(gathered.histogram)
        write_samples(temporary, _samples(raw, plan, attributes, groups))
        info = DatasetInfo(
            provenance=provenance,
            name=name,
            title=raw.title,
            classes=plan.classes,
            group_labels=groups.labels,
            class_to_group_label=groups.class_to_label,
            attributes=[attribute.info for attribute in attributes],
            groups=groups.infos,
            n={split: int((plan.splits == i).sum()) for i, split in enumerate(SPLIT_NAMES)},
            image_size=settings.image_size,
            has_masks=plan.has_masks,
            n_label_flips=_n_label_flips(raw, plan),
            sources=sources,
            skipped=[file for file, _ in gathered.unreadable],
            notes=notes,
            channel_mean=mean,
            channel_std=std,
            source_fingerprint=raw.fingerprint if raw.decided_by is None else fingerprint_files(raw),
            source_info=SourceInfo(
                source=raw.source, licence=raw.licence, citation=raw.citation, checksums=raw.checksums
            ),
        )
        info = info.model_copy(update={"digest": digest_packing(temporary, info)})
        save_artifact(temporary / "dataset.json", info)
    return info


def _check_free_space(folder: Path, n: int, size: int, has_masks: bool) -> None:
    needed = n * size * size * (4 if has_masks else 3)
    what = f"packing {n:,} images of {size} x {size}"
    require_space(folder, needed, what, "Free some space, or lower `data.image_size`.")


def _attributes(
    plan: Plan, settings: DataSettings, gathered: Gathered, ring_name: str | None
) -> tuple[list[Attribute], list[str]]:
    """Annotated attributes, else the derived one, else the single value "all"; and notes."""
    if ring_name is not None:
        ring, is_train = np.concatenate(gathered.ring), plan.splits == TRAIN
        derived, notes = derive_attribute(ring_name, ring, is_train, settings.levels)
        return [derived], notes
    if not plan.attributes:
        return [no_attribute(len(plan.rows))], ["no attribute: the groups are the classes"]
    if settings.derive_attribute in ("auto", "never"):
        return plan.attributes, []
    first = plan.attributes[0].info.name
    return plan.attributes, [f"no {settings.derive_attribute} was derived: {first!r} is annotated"]


def _n_label_flips(raw: RawDataset, plan: Plan) -> int | None:
    if not raw.knows_label_flips:
        return None
    return sum(plan.rows[i].label_flipped for i in np.flatnonzero(plan.splits == TRAIN))


def _group_notes(groups: Groups) -> list[str]:
    notes = []
    for split, key in zip(SPLIT_NAMES, ("n_train", "n_val", "n_test"), strict=True):
        empty = [info.name for info in groups.infos if getattr(info, key) == 0]
        if empty:
            notes.append(
                f"{len(empty)} of {len(groups.infos)} groups have no {split} images: {list_some(empty)}"
            )
    return notes


def _pixel_notes(gathered: Gathered, plan: Plan) -> list[str]:
    notes = note_files(gathered)
    if gathered.n_empty_masks:
        notes.append(f"{gathered.n_empty_masks:,} masks are empty at this size")
    seen = {d for d, split in zip(gathered.digests, plan.splits, strict=True) if split == TRAIN}
    for split in (VAL, TEST):
        held_out = np.flatnonzero(plan.splits == split)
        n_same = sum(gathered.digests[i] in seen for i in held_out)
        if n_same:
            notes.append(
                f"{n_same:,} of {len(held_out):,} {SPLIT_NAMES[split]} images are, as packed, identical to a "
                "training image"
            )
    return notes


def _samples(raw: RawDataset, plan: Plan, attributes: list[Attribute], groups: Groups) -> pd.DataFrame:
    columns: dict[str, object] = {
        "id": np.arange(len(plan.rows), dtype=np.int64),
        "file": [row.name for row in plan.rows],
        "label": plan.labels,
        "attribute": attributes[0].values,
        "group": groups.index,
        "split": [SPLIT_NAMES[split] for split in plan.splits],
    }
    for attribute in attributes:
        names = np.array(attribute.info.values, dtype=object)
        columns[f"attr_{attribute.info.name}"] = names[attribute.values]
    if plan.sources is not None:
        columns["source"] = [row.source for row in plan.rows]
    if raw.knows_label_flips:
        columns["label_flipped"] = np.array([row.label_flipped for row in plan.rows], bool)
    return pd.DataFrame(columns)


def _channel_moments(histogram: Int64Array) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel, exact from the counts of the 256 levels, in [0, 1]."""
    levels = np.arange(256) / 255
    shares = histogram / histogram.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
    # A channel that never varies must not make a network divide by zero.
    return mean.tolist(), np.maximum(std, 1e-3).tolist()
