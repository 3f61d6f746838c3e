"""How attributes go with the label and with each other."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array, PackedSplit
from pipeline.data_audit.color.wording import LABEL, Target
from pipeline.records.color import Association
from pipeline.records.data import AttributeInfo, PackedInfo
from pipeline.settings.audit import ColorSettings
from pipeline.statistics.cues.association import cramers_v, cramers_v_by_source


def associations(
    train: PackedSplit, test: PackedSplit, info: PackedInfo, settings: ColorSettings
) -> list[Association]:
    """Label with each annotated attribute on train and test, then each pair of attributes on train."""
    found = [
        associate(split, (Target(LABEL, info.classes), split.labels), _coded(split, attribute), settings)
        for attribute in info.attributes
        for split in (train, test)
    ]
    for i, other in enumerate(info.attributes):
        found += [
            associate(train, _coded(train, other), _coded(train, attribute), settings)
            for attribute in info.attributes[i + 1 :]
        ]
    return found


def _coded(split: PackedSplit, attribute: AttributeInfo) -> tuple[Target, Int64Array]:
    return Target(attribute.name, attribute.values), split.annotated[attribute.name]


def associate(
    split: PackedSplit,
    rows: tuple[Target, Int64Array],
    columns: tuple[Target, Int64Array],
    settings: ColorSettings,
) -> Association:
    """Bias-corrected Cramér's V of two coded variables on one split; of whole sources where it has some."""
    (other, row_codes_N), (attribute, column_codes_N) = rows, columns
    table = np.zeros((len(other.values), len(attribute.values)), np.int64)
    np.add.at(table, (row_codes_N, column_codes_N), 1)
    n_draws = {"n_permutations": settings.permutations, "seed": settings.seed}
    if split.sources is None:
        v, p_value = cramers_v(table, **n_draws)
    else:
        v, p_value = cramers_v_by_source(row_codes_N, column_codes_N, split.sources, **n_draws)
    return Association(
        attribute=attribute.name,
        other=other.name,
        split=split.name,
        cramers_v=v,
        p_value=p_value,
        n=len(split),
        table=table.tolist(),
    )
