"""The groups of a packed dataset: its classes crossed with what forms them.

Shape legend: N images of all splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.types import Int64Array, PackedSplit
from pipeline.groups.cells import Classes, cross, note_empty
from pipeline.groups.form import Formed
from pipeline.records.base import Provenance
from pipeline.records.data import AskedCue, GroupsInfo, PackedInfo


class Grouping(NamedTuple):
    """What the groups are, and of each image the attribute's value and the group."""

    info: GroupsInfo
    values_N: Int64Array
    groups_N: Int64Array


def make_groups(
    packed: PackedInfo,
    splits: Sequence[PackedSplit],
    formed: Formed,
    group_by: str,
    provenance: Provenance,
    asked: Sequence[AskedCue] = (),
) -> Grouping:
    """Cross the classes with the attribute.

    Args:
        splits: all of them, in the order of the packed file.
        asked: cues that could have formed the groups.

    Raises:
        InputError: superclasses asked for but unknown, or unknown for some class.
    """
    cells = cross(
        Classes.of(packed),
        np.concatenate([split.labels for split in splits]),
        formed.info,
        formed.values_N,
        splits_N=np.concatenate([np.full(len(split), i, np.int64) for i, split in enumerate(splits)]),
        group_by=group_by,
    )
    others = [attribute for attribute in packed.attributes if attribute.name != formed.info.name]
    info = GroupsInfo(
        provenance=provenance,
        attributes=[formed.info, *others],
        formed_by=formed.cue,
        asked=list(asked),
        groups=cells.infos,
        group_labels=cells.labels,
        class_to_group_label=cells.class_to_label_K,
        notes=[*formed.notes, *note_empty(cells.infos)],
    )
    return Grouping(info, formed.values_N, cells.index_N)
