"""What to pack, decided and checked before the first pixel is decoded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, Int64Array
from pipeline.core.words import list_some
from pipeline.data.attributes import Attribute, annotated_attributes, encode
from pipeline.data.names.naming import natural_key
from pipeline.data.raw import RawDataset, RawRow
from pipeline.data.scenes import encode_sources
from pipeline.data.splits import TEST, TRAIN, VAL, assign_splits
from pipeline.settings.data import DataSettings

_MIN_CLASSES = 2


@dataclass
class Plan:
    """Rows to pack in file order (train, val, test), with what is known before decoding."""

    rows: list[RawRow]
    labels: Int64Array
    splits: Int64Array
    attributes: list[Attribute]
    classes: list[str]
    notes: list[str]
    has_masks: bool
    order: Int64Array  # each row's number in its source's table or listing
    sources: Int64Array | None = None  # equal for rows of one source; None: each by itself

    def take(self, kept: Int64Array) -> Plan:
        return Plan(
            [self.rows[i] for i in kept],
            self.labels[kept],
            self.splits[kept],
            [Attribute(a.info, a.values[kept]) for a in self.attributes],
            self.classes,
            self.notes,
            self.has_masks,
            self.order[kept],
            None if self.sources is None else self.sources[kept],
        )


def make_plan(raw: RawDataset, settings: DataSettings) -> Plan:
    """Encode labels and attributes, place every row in a split, and sort by split.

    Raises:
        InputError: names, labels, splits, attributes or masks that cannot be used, with the remedy.
    """
    rows = raw.rows
    _check_names(raw)
    classes = raw.classes or sorted({row.label for row in rows}, key=natural_key)
    if len(classes) < _MIN_CLASSES:
        raise InputError(f"{raw.title} has one class only ({list_some(classes)}): a classifier needs two.")
    labels = encode([row.label for row in rows], classes, "labels")
    empty = [name for i, name in enumerate(classes) if not (labels == i).any()]
    if empty:
        raise InputError(f"the class(es) {list_some(empty)} have no images. Add images or remove the class.")
    attributes = annotated_attributes(raw)
    first = attributes[0].values if attributes else np.zeros(len(rows), np.int64)
    given = [row.split for row in rows]
    sources = encode_sources(raw)
    assignment = assign_splits(given, labels, first, classes=classes, settings=settings, sources=sources)
    _check_expected_counts(raw)
    order = np.argsort(assignment.splits, kind="stable")
    order = order[assignment.splits[order] >= 0]
    plan = Plan(
        rows,
        labels,
        assignment.splits,
        attributes,
        classes,
        assignment.notes,
        _has_masks(rows),
        np.arange(len(rows)),
        sources,
    ).take(order)
    check_classes_per_split(plan)
    return plan


def _check_names(raw: RawDataset) -> None:
    if not raw.rows:
        raise InputError(f"{raw.title} has no images.")
    repeated = [name for name, n in Counter(row.name for row in raw.rows).items() if n > 1]
    if repeated:
        raise InputError(
            f"{len(repeated):,} image names appear more than once: {list_some(repeated)}. Each image must be "
            "listed once: an image in two splits would be tested on what was trained on."
        )


def _check_expected_counts(raw: RawDataset) -> None:
    """Compare published counts with the rows as the source gives them."""
    if raw.expected_group_counts is None:
        return
    names = list(raw.attribute_values)[:1]
    counts = Counter((row.split, row.label, *(row.attributes[n] for n in names)) for row in raw.rows)
    for split, cells in raw.expected_group_counts.items():
        for (label, value), expected in cells.items():
            got = counts[(split, label, value)] if names else counts[(split, label)]
            if got != expected:
                raise InputError(
                    f"{raw.title}: {split} has {got:,} images of {label} / {value}, published are "
                    f"{expected:,}. Obtain the data again."
                )


def check_classes_per_split(plan: Plan) -> None:
    """Every split has images, and no class is asked about that training never showed."""
    in_train = set(plan.labels[plan.splits == TRAIN].tolist())
    for split in (TRAIN, VAL, TEST):
        here = set(plan.labels[plan.splits == split].tolist())
        if not here:
            raise InputError(f"the {SPLIT_NAMES[split]} split has no images.")
        unseen = [plan.classes[i] for i in sorted(here - in_train)]
        if unseen:
            raise InputError(
                f"the class(es) {list_some(unseen)} are in {SPLIT_NAMES[split]} but not in train. Add "
                "training images of them, or remove them."
            )


def _has_masks(rows: list[RawRow]) -> bool:
    without = [row.name for row in rows if row.mask is None]
    if without and len(without) < len(rows):
        raise InputError(
            f"{len(without):,} of {len(rows):,} images have no mask while the others have one: "
            f"{list_some(without)}. Masks serve only if every image has one: add them, or give none."
        )
    return not without
