"""The groups as they will be after the split, before the pixels are packed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.types import SPLIT_NAMES, BoolArray, Float64Array, Int64Array, SplitName
from pipeline.data.decoding.decode import UnreadableError, decode
from pipeline.data.decoding.depth import first_ranges
from pipeline.data.pack import order_superclasses
from pipeline.data.plan import Plan
from pipeline.data.raw import RawDataset
from pipeline.data.splits import TEST, TRAIN, VAL
from pipeline.groups.cells import Classes, cross
from pipeline.groups.derive import RING_FEATURES, Formed, derive_attribute, no_attribute, ring_feature_name
from pipeline.plan.params import DatasetSettings
from pipeline.records.data import AttributeInfo, GroupInfo
from pipeline.settings.data import DataSettings

N_SAMPLED = 1000  # images decoded to foresee an attribute that is derived from pixels


@dataclass(frozen=True)
class Sizes:
    """What a dataset will look like; `verdict.evidence.rules.GroupedData`."""

    attributes: list[AttributeInfo]
    groups: list[GroupInfo]
    n_sampled: int | None  # the groups' sizes are estimated from so many images; None: counted
    is_carved: dict[str, bool]  # val, test: this split is made here, so a setting decides its size
    n: dict[SplitName, int]  # images per split


def foresee_sizes(raw: RawDataset, plan: Plan, settings: DatasetSettings) -> Sizes:
    """Count the groups that will be made; a derived attribute is read off a sample of the images.

    Raises:
        InputError: groups that cannot be made as asked.
    """
    given = {row.split for row in raw.rows}
    n = {name: int((plan.splits == i).sum()) for i, name in enumerate(SPLIT_NAMES)}
    carved = {"val": "val" not in given, "test": "test" not in given}
    ring_name = ring_feature_name(settings.groups, is_annotated=bool(plan.attributes))
    if ring_name is None:
        attributes = [Formed(a.info, a.values, []) for a in plan.attributes]
        attributes = attributes or [no_attribute(len(plan.rows))]
        groups = _cross(raw, plan, attributes[0], plan.splits, settings.groups.group_by)
        return Sizes([a.info for a in attributes], groups, None, carved, n)
    sample = _sample(plan)
    ring, readable = _ring_features(plan, sample, settings.data, ring_name)
    sample = sample[readable]
    splits = plan.splits[sample]
    if not (splits == TRAIN).any():  # nothing could be read: packing will say why
        attribute, n_seen = no_attribute(len(plan.rows)), None
        groups = _cross(raw, plan, attribute, plan.splits, settings.groups.group_by)
    else:
        attribute = derive_attribute(ring_name, ring, splits == TRAIN, settings.groups.levels)
        counted = _cross(raw, plan.take(sample), attribute, splits, settings.groups.group_by)
        groups, n_seen = [_scaled(group, splits, n) for group in counted], len(sample)
    return Sizes([attribute.info], groups, n_seen, carved, n)


def _cross(
    raw: RawDataset, plan: Plan, attribute: Formed, splits: Int64Array, group_by: str
) -> list[GroupInfo]:
    classes = Classes(plan.classes, *order_superclasses(raw, plan.classes))
    values, info = attribute.values_N, attribute.info
    return cross(classes, plan.labels, info, values, splits_N=splits, group_by=group_by).infos


def _sample(plan: Plan) -> Int64Array:
    """Rows evenly spread over each split; a plan's rows lie sorted by split."""
    parts = []
    for split in (TRAIN, VAL, TEST):
        rows = np.flatnonzero(plan.splits == split)
        wanted = min(len(rows), N_SAMPLED // 2 if split == TRAIN else N_SAMPLED // 4)
        parts.append(rows[np.linspace(0, len(rows) - 1, wanted).astype(np.int64)])
    return np.unique(np.concatenate(parts))


def _ring_features(
    plan: Plan, sample: Int64Array, settings: DataSettings, ring_name: str
) -> tuple[Float64Array, BoolArray]:
    """The feature of the sampled images that can be read, and which they are."""
    pixels, readable, ranges = [], np.zeros(len(sample), bool), first_ranges(settings.value_range)
    for i, row in enumerate(plan.rows[j] for j in sample.tolist()):
        try:
            found = decode(row.image, None, size=settings.image_size, fit=settings.fit, ranges=ranges)
            pixels.append(found.image)
            readable[i] = True
        except UnreadableError:
            continue
    if not pixels:
        return np.empty(0), readable
    return RING_FEATURES[ring_name](np.stack(pixels)), readable


def _scaled(group: GroupInfo, splits: Int64Array, n: dict[SplitName, int]) -> GroupInfo:
    """Counts of the sample, as many times as each split is larger."""
    times = {name: n[name] / max(1, int((splits == i).sum())) for i, name in enumerate(SPLIT_NAMES)}
    return group.model_copy(
        update={
            "n_train": round(group.n_train * times["train"]),
            "n_val": round(group.n_val * times["val"]),
            "n_test": round(group.n_test * times["test"]),
        }
    )
