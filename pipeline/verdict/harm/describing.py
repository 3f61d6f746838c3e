"""What is known of each image of a split, in words: what mistakes are held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core.types import Float32Array, PackedSplit
from pipeline.records.data import DatasetInfo
from pipeline.verdict.harm.conditions import CLASS, Described


def describe(
    split: PackedSplit,
    info: DatasetInfo,
    titled: DatasetInfo,
    facts: pd.DataFrame | None,
    properties: Mapping[str, Float32Array],
) -> Described:
    """Classes and annotated columns by their titles, with the rows of `facts` and `properties` of the split.

    Args:
        info, titled: the same data, by names and by titles.
        facts, properties: of all packed images, in their order.
    """
    classes = np.array([*titled.classes], object)
    columns = {
        shown.name: np.array([*shown.values], object)[split.annotated[named.name]]
        for named, shown in zip(info.attributes, titled.attributes, strict=True)
        if named.name in split.annotated
    }
    return Described(
        labels=classes[split.labels],
        columns=columns,
        facts=None if facts is None else facts.iloc[split.ids].reset_index(drop=True),
        properties={name: values[split.ids] for name, values in properties.items()},
    )


def group_columns(titled: DatasetInfo) -> frozenset[str]:
    """What forms the groups: conditions on nothing else pick whole groups."""
    attributes = [a.name for a in titled.attributes[:1] if a.origin != "none"]
    return frozenset([*attributes, *([CLASS] if titled.group_labels == titled.classes else [])])
