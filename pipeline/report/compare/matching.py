"""Which group of one report is which group of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import quoted
from pipeline.records.base import GroupEstimate
from pipeline.records.data import GroupInfo
from pipeline.report.compare.sides import Side

Key = tuple[str, str, int]  # label, attribute value, and which of those with the same ones it is


@dataclass(frozen=True)
class MatchedGroup:
    """One group of both sides; its estimates may have different indices."""

    name: str
    first: GroupEstimate
    second: GroupEstimate


@dataclass(frozen=True)
class Matching:
    """Groups of both, in the first report's order, and the names of those without a partner."""

    groups: list[MatchedGroup]
    only_first: list[str]
    only_second: list[str]


def match_groups(first: Side, second: Side) -> Matching:
    """By what a group is, its label and its attribute value: names can be equal, and orders can differ."""
    ours, theirs = _by_key(first), _by_key(second)
    names = _tell_apart([group for group, _ in ours.values()])
    return Matching(
        groups=[
            MatchedGroup(name, found, theirs[key][1])
            for name, (key, (_, found)) in zip(names, ours.items(), strict=True)
            if key in theirs
        ],
        only_first=[name for name, key in zip(names, ours, strict=True) if key not in theirs],
        only_second=[
            name
            for name, key in zip(_tell_apart([group for group, _ in theirs.values()]), theirs, strict=True)
            if key not in ours
        ],
    )


def note_attributes(names: tuple[str, str], first: Side, second: Side) -> str:
    """That equal values are of attributes with other names, as a sentence; empty where they are not."""
    ours, theirs = (
        side.report.verdict.titles.name_attribute(side.report.dataset.attributes[0].name)
        if side.report.dataset.attributes
        else ""
        for side in (first, second)
    )
    if ours == theirs or not (ours and theirs):
        return ""
    return f"Groups go by {quoted(ours)} in {names[0]} and by {quoted(theirs)} in {names[1]}."


def _by_key(side: Side) -> dict[Key, tuple[GroupInfo, GroupEstimate]]:
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for group, estimate in zip(side.report.dataset.groups, side.verdict.groups, strict=True):
        named = side.report.verdict.titles.name_group(group)  # a title that changed makes no other group
        what = (named.label, named.attribute)
        found[(*what, seen[what])] = (group, estimate)
        seen[what] += 1
    return found


def _tell_apart(groups: Sequence[GroupInfo]) -> list[str]:
    """Their names; of equal ones with what forms them."""
    n_named = Counter(group.name for group in groups)
    return [
        group.name
        if n_named[group.name] == 1
        else f"{group.name} ({quoted(group.label)} and {quoted(group.attribute)})"
        for group in groups
    ]
