"""The groups as they will be after the split, before the pixels are packed."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.types import SPLIT_NAMES, SplitName
from pipeline.data.pack import order_superclasses
from pipeline.data.plan import Plan
from pipeline.data.raw import RawDataset
from pipeline.groups.cells import Classes, cross
from pipeline.groups.form import Formed, no_attribute
from pipeline.groups.source import find_source
from pipeline.plan.params import DatasetSettings
from pipeline.records.data import AttributeInfo, GroupInfo


@dataclass(frozen=True)
class Sizes:
    """What a dataset will look like; `verdict.evidence.rules.GroupedData`."""

    attributes: list[AttributeInfo]
    groups: list[GroupInfo]
    is_open: bool  # a cue that is found later may split the groups, which are classes so far
    is_carved: dict[str, bool]  # val, test: this split is made here, so a setting decides its size
    n: dict[SplitName, int]  # images per split


def foresee_sizes(raw: RawDataset, plan: Plan, settings: DatasetSettings) -> Sizes:
    """Count the groups that will be made; of those that a cue may form, their classes.

    Raises:
        InputError: groups that cannot be made as asked.
    """
    given = {row.split for row in raw.rows}
    n = {name: int((plan.splits == i).sum()) for i, name in enumerate(SPLIT_NAMES)}
    carved = {"val": "val" not in given, "test": "test" not in given}
    source = find_source(settings.groups.from_, [attribute.info.name for attribute in plan.attributes])
    formed = no_attribute(len(plan.rows))
    if source.kind == "attribute":
        found = next(attribute for attribute in plan.attributes if attribute.info.name == source.name)
        formed = Formed(found.info, found.values, [])
    others = [a.info for a in plan.attributes if a.info.name != formed.info.name]
    classes = Classes(plan.classes, *order_superclasses(raw, plan.classes))
    cells = cross(
        classes,
        plan.labels,
        formed.info,
        formed.values_N,
        splits_N=plan.splits,
        group_by=settings.groups.group_by,
    )
    is_open = source.kind in ("auto", "cue", "inferred")
    return Sizes([formed.info, *others], cells.infos, is_open, carved, n)
