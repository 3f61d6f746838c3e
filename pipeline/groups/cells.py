"""Groups: cells of (class or superclass) x attribute value.

Shape legend: N images, K classes, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, Int64Array
from pipeline.core.words import list_some
from pipeline.records.data import AttributeInfo, GroupInfo, PackedInfo


@dataclass(frozen=True)
class Classes:
    """The classes, and which superclass each is of, where the source knows."""

    names: list[str]
    superclasses: list[str]
    to_superclass_K: list[int | None]

    @classmethod
    def of(cls, packed: PackedInfo) -> Classes:
        return cls(packed.classes, packed.superclasses, packed.class_to_superclass)


@dataclass(frozen=True)
class Cells:
    """What groups are crossed with, and the group index of each image."""

    labels: list[str]
    class_to_label_K: list[int]
    index_N: Int64Array
    infos: list[GroupInfo]


def cross(
    classes: Classes,
    labels_N: Int64Array,
    attribute: AttributeInfo,
    values_N: Int64Array,
    *,
    splits_N: Int64Array,
    group_by: str,
) -> Cells:
    """Cross (class, superclass or all) with the attribute; index = label index x values + value.

    Raises:
        InputError: superclasses asked for but unknown, or unknown for some class.
    """
    group_labels, class_to_label_K = _group_labels(classes, group_by)
    n_values = len(attribute.values)
    index_N = np.array(class_to_label_K, np.int64)[labels_N] * n_values + values_N
    counts = np.zeros((len(group_labels) * n_values, len(SPLIT_NAMES)), np.int64)
    np.add.at(counts, (index_N, splits_N), 1)
    infos = []
    for i, (n_train, n_val, n_test) in enumerate(counts.tolist()):
        label, value = group_labels[i // n_values], attribute.values[i % n_values]
        name = label if attribute.origin == "none" else f"{label} / {value}"
        infos.append(
            GroupInfo(name=name, label=label, attribute=value, n_train=n_train, n_val=n_val, n_test=n_test)
        )
    return Cells(group_labels, class_to_label_K, index_N, infos)


def _group_labels(classes: Classes, group_by: str) -> tuple[list[str], list[int]]:
    if group_by == "all":
        return ["all"], [0] * len(classes.names)
    if group_by == "class" or (group_by == "auto" and not classes.superclasses):
        return list(classes.names), list(range(len(classes.names)))
    if not classes.superclasses:
        raise InputError(
            "groups.group_by = 'superclass', but the dataset has no superclasses. Set it to 'class' or 'all'."
        )
    pairs = list(zip(classes.names, classes.to_superclass_K, strict=True))
    without = [name for name, parent in pairs if parent is None]
    if without:
        raise InputError(
            f"the superclass of {list_some(without)} is not known. Set `groups: {{ group_by: class }}`."
        )
    return classes.superclasses, [parent for _, parent in pairs if parent is not None]


def note_empty(groups: list[GroupInfo]) -> list[str]:
    """Which groups have no images of a split."""
    notes = []
    for split, key in zip(SPLIT_NAMES, ("n_train", "n_val", "n_test"), strict=True):
        empty = [group.name for group in groups if getattr(group, key) == 0]
        if empty:
            notes.append(f"{len(empty)} of {len(groups)} groups have no {split} images: {list_some(empty)}")
    return notes
