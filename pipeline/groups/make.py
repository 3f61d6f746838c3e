"""The groups of a packed dataset: from its first annotated attribute, or from a derived one.

Shape legend: N images of all splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.types import BoolArray, Int64Array, PackedSplit
from pipeline.groups.cells import Classes, cross, note_empty
from pipeline.groups.derive import RING_FEATURES, Formed, derive_attribute, no_attribute, ring_feature_name
from pipeline.records.base import Provenance
from pipeline.records.data import GroupsInfo, PackedInfo
from pipeline.settings.groups import GroupsSettings


class Grouping(NamedTuple):
    """What the groups are, and of each image the attribute's value and the group."""

    info: GroupsInfo
    values_N: Int64Array
    groups_N: Int64Array


def make_groups(
    packed: PackedInfo, splits: Sequence[PackedSplit], settings: GroupsSettings, provenance: Provenance
) -> Grouping:
    """Cross the classes with the attribute; pixels are read only to derive one.

    Args:
        splits: all of them, in the order of the packed file.

    Raises:
        InputError: superclasses asked for but unknown, or unknown for some class.
    """
    splits_N = np.concatenate([np.full(len(split), i, np.int64) for i, split in enumerate(splits)])
    formed = _form(packed, splits, settings, is_train_N=splits_N == 0)
    cells = cross(
        Classes.of(packed),
        np.concatenate([split.labels for split in splits]),
        formed.info,
        formed.values_N,
        splits_N=splits_N,
        group_by=settings.group_by,
    )
    info = GroupsInfo(
        provenance=provenance,
        attributes=packed.attributes or [formed.info],
        groups=cells.infos,
        group_labels=cells.labels,
        class_to_group_label=cells.class_to_label_K,
        notes=[*formed.notes, *note_empty(cells.infos)],
    )
    return Grouping(info, formed.values_N, cells.index_N)


def _form(
    packed: PackedInfo, splits: Sequence[PackedSplit], settings: GroupsSettings, *, is_train_N: BoolArray
) -> Formed:
    """The attribute that forms the groups: the first annotated one, else the derived one, else "all"."""
    ring_name = ring_feature_name(settings, is_annotated=bool(packed.attributes))
    if ring_name is not None:
        ring_N = np.concatenate([RING_FEATURES[ring_name](split.images) for split in splits if len(split)])
        return derive_attribute(ring_name, ring_N, is_train_N, settings.levels)
    if not packed.attributes:
        return no_attribute(len(is_train_N))
    first, asked = packed.attributes[0], settings.derive_attribute
    is_idle = asked not in ("auto", "never")
    notes = [f"no {asked} was derived: {first.name!r} is annotated"] if is_idle else []
    return Formed(first, np.concatenate([split.annotated[first.name] for split in splits]), notes)
