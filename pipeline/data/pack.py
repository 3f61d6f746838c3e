"""Pack a dataset: `facts.parquet`, `images.npy`, `masks.npy`, `samples.parquet` and, last, `dataset.json`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.datasets import write_samples
from pipeline.artifacts.facts import save_facts
from pipeline.artifacts.files import fresh_files, require_space, save_artifact
from pipeline.artifacts.packing import digest_packing
from pipeline.artifacts.paths import PACKED_FILES
from pipeline.core.types import SPLIT_NAMES, Int64Array
from pipeline.data.decoding.pixels import Gathered, check_unreadable, note_files, write_pixels
from pipeline.data.facts.table import tabulate_facts
from pipeline.data.fingerprint import fingerprint_files
from pipeline.data.names.naming import natural_key
from pipeline.data.plan import Plan, check_classes_per_split, make_plan
from pipeline.data.raw import RawDataset
from pipeline.data.scenes import count_sources, source_notes
from pipeline.data.splits import TEST, TRAIN, VAL
from pipeline.records.base import Provenance
from pipeline.records.data import PackedInfo, SourceInfo
from pipeline.settings.data import DataSettings


def pack_dataset(
    raw: RawDataset, settings: DataSettings, *, name: str, folder: Path, provenance: Provenance
) -> PackedInfo:
    """Decode and split `raw`, and write the packed dataset's files to `folder`, and beside it their facts.

    Raises:
        InputError: names, labels, splits, attributes, images or masks that cannot be used, each
            named with the remedy; the disk is full. `folder` is then as it was before.
    """
    plan = make_plan(raw, settings)
    _check_free_space(folder, len(plan.rows), settings.image_size, plan.has_masks)
    with fresh_files(folder, PACKED_FILES) as temporary:
        gathered = write_pixels(plan, settings, temporary)
        check_unreadable(gathered, len(plan.rows), settings)
        plan = plan.take(np.array(gathered.kept, np.int64))
        check_classes_per_split(plan)
        sources = count_sources(raw, plan.sources, plan.splits)
        notes = [
            *source_notes(sources, int((plan.splits == TEST).sum())),
            *raw.notes,
            *plan.notes,
            *_pixel_notes(gathered, plan),
        ]
        mean, std = _channel_moments(gathered.histogram)
        write_samples(temporary, _samples(raw, plan))
        superclasses, class_to_superclass = order_superclasses(raw, plan.classes)
        info = PackedInfo(
            provenance=provenance,
            name=name,
            title=raw.title,
            classes=plan.classes,
            superclasses=superclasses,
            class_to_superclass=class_to_superclass,
            attributes=[attribute.info for attribute in plan.attributes],
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
        info = info.model_copy(update={"packing": digest_packing(temporary, info)})
        save_artifact(temporary / "dataset.json", info)
        save_facts(folder, tabulate_facts(gathered.facts, raw, plan), info.packing)
    return info


def order_superclasses(raw: RawDataset, classes: list[str]) -> tuple[list[str], list[int | None]]:
    """The superclasses in the order that people count in, and which each class is of; both may be empty."""
    if not raw.superclasses:
        return [], []
    parents = [raw.superclasses.get(name) for name in classes]
    ordered = sorted({parent for parent in parents if parent is not None}, key=natural_key)
    return ordered, [None if parent is None else ordered.index(parent) for parent in parents]


def _check_free_space(folder: Path, n: int, size: int, has_masks: bool) -> None:
    needed = n * size * size * (4 if has_masks else 3)
    what = f"packing {n:,} images of {size} x {size}"
    require_space(folder, needed, what, "Free some space, or lower `data.image_size`.")


def _n_label_flips(raw: RawDataset, plan: Plan) -> int | None:
    if not raw.knows_label_flips:
        return None
    return sum(plan.rows[i].label_flipped for i in np.flatnonzero(plan.splits == TRAIN))


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


def _samples(raw: RawDataset, plan: Plan) -> pd.DataFrame:
    columns: dict[str, object] = {
        "id": np.arange(len(plan.rows), dtype=np.int64),
        "file": [row.name for row in plan.rows],
        "label": plan.labels,
        "split": [SPLIT_NAMES[split] for split in plan.splits],
    }
    for attribute in plan.attributes:
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
