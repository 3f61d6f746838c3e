"""What `titles` of a dataset's entry mean for its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.errors import InputError
from pipeline.core.words import join_names, list_some
from pipeline.records.data import DatasetInfo, GroupsInfo, PackedInfo
from pipeline.records.titles import Titles
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.titles import TitlesSettings


def resolve_titles(
    asked: TitlesSettings,
    packed: PackedInfo,
    grouped: GroupsInfo | DatasetInfo,
    *,
    shares_source: bool = False,
) -> Titles:
    """What `titles` of a dataset's entry mean for these data.

    Args:
        shares_source: another entry has the same source, so that their titles must differ.

    Raises:
        InputError: a name that the data do not have, or one title for two names.
    """
    forming = grouped.attributes[0].name
    given = asked.attribute or {}
    attributes = {forming: given} if isinstance(given, str) else dict(given)
    known = {
        "attribute": [attribute.name for attribute in grouped.attributes],
        "values": [value for attribute in grouped.attributes for value in attribute.values],
        "classes": list(dict.fromkeys([*packed.classes, *packed.superclasses])),
    }
    asked_of = {"attribute": attributes, "values": asked.values, "classes": asked.classes}
    for key, titles in asked_of.items():
        _check(packed.name, key, titles, list(dict.fromkeys(known[key])))
    title = asked.dataset or (f"{packed.title} ({packed.name})" if shares_source else None)
    found = Titles(dataset=title, attributes=attributes, values=asked.values, classes=asked.classes)
    groups = {g.name: _group_name(g.name, g.label, g.attribute, found) for g in grouped.groups}
    return found.model_copy(update={"groups": {name: t for name, t in groups.items() if t != name}})


def _check(dataset: str, key: str, titles: Mapping[str, str], known: Sequence[str]) -> None:
    place = f"datasets.{dataset}.titles.{key}"
    for name in titles:
        if name not in known:
            raise InputError(
                f"{place} names {name!r}{did_you_mean(name, known) or '.'} The data have "
                f"{list_some(known)}. Write `titles: {{ {key}: {{ {known[0]}: {titles[name]} }} }}`, or take "
                "the line out."
            )
    shown = [titles.get(name, name) for name in known]
    twice = next((title for title in shown if shown.count(title) > 1), None)
    if twice is not None:
        names = [name for name in known if titles.get(name, name) == twice]
        raise InputError(f"{place}: {join_names(names)} would both be called {twice!r}. Give each its own.")


def _group_name(name: str, label: str, value: str, titles: Titles) -> str:
    parts = titles.classes.get(label, label), titles.values.get(value, value)
    return parts[0] if name == label else " / ".join(parts)
