"""Attributes and groups: annotated ones encoded, missing ones derived from the border ring.

Groups are cells (class or superclass) x value of the first attribute.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, BoolArray, Float64Array, Int64Array, UInt8Array
from pipeline.data.names.naming import list_some, natural_key
from pipeline.data.raw import RawDataset
from pipeline.pixels.color_features import ring_hue, ring_lightness
from pipeline.records.data import AttributeInfo, GroupInfo
from pipeline.settings.data import DataSettings

MAX_VALUES = 100  # more is an identifier or a measurement, not a group
RING_FEATURES: dict[str, Callable[[UInt8Array], Float64Array]] = {
    "ring_lightness": ring_lightness,
    "ring_hue": ring_hue,
}
_LIGHTNESS_NAMES = {
    1: ["any"],
    2: ["dark", "light"],
    3: ["dark", "medium", "light"],
    4: ["darkest", "dark", "light", "lightest"],
    5: ["darkest", "dark", "medium", "light", "lightest"],
}
_DECIMALS = 4  # ring features closer than this are equal
_HUE_BINS = 36  # of 10 degrees, for finding where to cut the circle open
DERIVED_NOTE = (
    "groups are derived, not annotated: {description}. They were made without looking at labels and say "
    "what the border looks like, not what it means"
)


@dataclass(frozen=True)
class Attribute:
    """One attribute and its value index per row."""

    info: AttributeInfo
    values: Int64Array


@dataclass(frozen=True)
class Groups:
    """What groups are crossed with, and the group index per row."""

    labels: list[str]
    class_to_label: list[int]
    index: Int64Array
    infos: list[GroupInfo]


def encode(values: Sequence[str], order: Sequence[str], what: str) -> Int64Array:
    """Index of each value in `order`.

    Raises:
        InputError: a value that `order` lacks, or one twice in `order`.
    """
    index = {value: i for i, value in enumerate(order)}
    if len(index) != len(order):
        raise InputError(
            f"{what} are declared twice: {list_some(sorted({v for v in order if list(order).count(v) > 1}))}."
        )
    unknown = sorted(set(values) - set(index))
    if unknown:
        raise InputError(
            f"{what} {list_some(unknown)} are not among the declared {list_some(list(order), 12)}."
        )
    return np.array([index[value] for value in values], np.int64)


def annotated_attributes(raw: RawDataset) -> list[Attribute]:
    """The attributes that every row carries, in declared order.

    Raises:
        InputError: rows that lack one, undeclared values, or far too many values.
    """
    names = list(
        dict.fromkeys([*raw.attribute_values, *(name for row in raw.rows for name in row.attributes)])
    )
    found = []
    for name in names:
        without = [row.name for row in raw.rows if name not in row.attributes]
        if without:
            raise InputError(
                f"attribute {name!r} is missing for {len(without):,} of {len(raw.rows):,} images: "
                f"{list_some(without)}. Give every image a value (for example 'unknown'), or drop "
                "the attribute."
            )
        values = [row.attributes[name] for row in raw.rows]
        order = raw.attribute_values.get(name) or sorted(set(values), key=natural_key)
        if len(order) > MAX_VALUES:
            raise InputError(
                f"attribute {name!r} has {len(order):,} different values; groups need few (at most "
                f"{MAX_VALUES}). Bin a measurement first, or choose another column."
            )
        info = AttributeInfo(
            name=name,
            values=order,
            origin="annotated",
            description=raw.attribute_descriptions.get(name, ""),
        )
        found.append(Attribute(info, encode(values, order, f"values of attribute {name!r}")))
    return found


def ring_feature_name(settings: DataSettings, *, is_annotated: bool) -> str | None:
    """Which ring feature stands in for an attribute; None: none is needed or wanted."""
    if is_annotated or settings.derive_attribute == "never":
        return None
    return "ring_lightness" if settings.derive_attribute == "auto" else settings.derive_attribute


def no_attribute(n: int) -> Attribute:
    """The single value "all" for every row: groups are then the classes."""
    info = AttributeInfo(name="none", values=["all"], origin="none", description="no attribute")
    return Attribute(info, np.zeros(n, np.int64))


def derive_attribute(
    name: str, ring: Float64Array, is_train: BoolArray, levels: int
) -> tuple[Attribute, list[str]]:
    """Cut a ring feature into levels at the quantiles of the training images.

    Ties can leave fewer levels than asked (white borders): empty ones are dropped, with a note.

    Returns:
        The attribute, and notes for the report.
    """
    if name == "ring_hue":
        index, values, where = _hue_levels(ring, is_train, levels)
        description = f"chroma-weighted CIELAB hue of the border ring, cut at {where}"
    else:
        thresholds = _thresholds(ring[is_train], levels)
        index = np.searchsorted(thresholds, ring, side="right").astype(np.int64)
        values = _LIGHTNESS_NAMES[len(thresholds) + 1]
        where = " and ".join(f"{t:.1f}" for t in thresholds) or "nothing (all borders are alike)"
        description = f"mean CIELAB lightness (0 to 100) of the border ring, cut at {where}"
    description += " (quantiles of the training images)"
    info = AttributeInfo(name=name, values=values, origin="derived", description=description)
    notes = [DERIVED_NOTE.format(description=description)]
    n_levels = len([value for value in values if value != "gray"])
    if n_levels < levels:
        notes.append(f"{name} has {n_levels} level(s), not {levels}: too many images have the same border")
    return Attribute(info, index), notes


def _thresholds(train: Float64Array, levels: int) -> Float64Array:
    """At most `levels` - 1 cuts, each between two values that occur, as near the quantiles as ties allow.

    A plain quantile may fall on a value that many images share (white borders) and leave a level
    empty; a cut between values never does.
    """
    values, counts = np.unique(np.round(train, _DECIMALS), return_counts=True)
    below = np.cumsum(counts)[:-1]  # training images below each possible cut
    if len(below) == 0:
        return np.empty(0)
    wanted = np.arange(1, levels) * len(train) / levels
    chosen = np.unique([np.abs(below - n).argmin() for n in wanted])
    cuts: Float64Array = (values[chosen] + values[chosen + 1]) / 2
    return cuts


def _hue_levels(ring: Float64Array, is_train: BoolArray, levels: int) -> tuple[Int64Array, list[str], str]:
    """Levels of an angle: the circle is cut open where fewest training images are.

    Gray borders (coded as exactly 0) have no hue and become a value of their own.
    """
    is_gray = ring == 0.0
    colored = ring[is_train & ~is_gray]
    if len(colored) == 0:
        return np.zeros(len(ring), np.int64), ["gray"], "nothing (all borders are gray)"
    width = 360 / _HUE_BINS
    counts = np.histogram(colored, bins=_HUE_BINS, range=(0, 360))[0]
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    cut = (int(np.argmin(smooth)) + 0.5) * width
    thresholds = _thresholds((colored - cut) % 360, levels)
    index = np.searchsorted(thresholds, (ring - cut) % 360, side="right").astype(np.int64)
    edges = [cut, *((thresholds + cut) % 360), cut]
    values = [f"hue {low:.0f}-{high:.0f}" for low, high in itertools.pairwise(edges)]
    if is_gray.any():
        index[is_gray] = len(values)
        values.append("gray")
    return index, values, ", ".join(f"{edge:.0f}" for edge in edges[:-1]) + " degrees"


def make_groups(
    raw: RawDataset,
    classes: Sequence[str],
    labels: Int64Array,
    attribute: Attribute,
    *,
    splits: Int64Array,
    group_by: str,
) -> Groups:
    """Cross (class, superclass or all) with the attribute; index = label index x values + value.

    Raises:
        InputError: superclasses asked for but unknown, or unknown for some class.
    """
    group_labels, class_to_label = _group_labels(raw, classes, group_by)
    n_values = len(attribute.info.values)
    index = np.array(class_to_label, np.int64)[labels] * n_values + attribute.values
    counts = np.zeros((len(group_labels) * n_values, len(SPLIT_NAMES)), np.int64)
    np.add.at(counts, (index, splits), 1)
    infos = []
    for i, (n_train, n_val, n_test) in enumerate(counts.tolist()):
        label, value = group_labels[i // n_values], attribute.info.values[i % n_values]
        name = label if attribute.info.origin == "none" else f"{label} / {value}"
        infos.append(
            GroupInfo(name=name, label=label, attribute=value, n_train=n_train, n_val=n_val, n_test=n_test)
        )
    return Groups(group_labels, class_to_label, index, infos)


def _group_labels(raw: RawDataset, classes: Sequence[str], group_by: str) -> tuple[list[str], list[int]]:
    if group_by == "all":
        return ["all"], [0] * len(classes)
    if group_by == "class" or (group_by == "auto" and not raw.superclasses):
        return list(classes), list(range(len(classes)))
    if not raw.superclasses:
        raise InputError(
            f"data.group_by = 'superclass', but {raw.title} has no superclasses. Set it to 'class' or 'all'."
        )
    without = [name for name in classes if name not in raw.superclasses]
    if without:
        raise InputError(f"the superclass of {list_some(without)} is not known. Set `data.group_by: class`.")
    parents = [raw.superclasses[name] for name in classes]
    names = sorted(set(parents), key=natural_key)
    return names, [names.index(parent) for parent in parents]
