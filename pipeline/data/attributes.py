"""Annotated attributes: every row's value as an index into the attribute's list of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array
from pipeline.core.words import list_some
from pipeline.data.names.naming import natural_key
from pipeline.data.raw import RawDataset
from pipeline.records.data import AttributeInfo

MAX_VALUES = 100  # more is an identifier or a measurement, not a group


@dataclass(frozen=True)
class Attribute:
    """One attribute and its value index per row."""

    info: AttributeInfo
    values: Int64Array


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
