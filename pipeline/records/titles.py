"""What people read instead of the names that the data have."""

from __future__ import annotations

from pydantic import Field

from pipeline.records.base import Record
from pipeline.records.data import GroupInfo


class Titles(Record):
    """Name -> title; what is not there keeps its name."""

    dataset: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    classes: dict[str, str] = Field(default_factory=dict)  # and superclasses
    groups: dict[str, str] = Field(default_factory=dict)

    def name_group(self, group: GroupInfo) -> GroupInfo:
        """A group that is called by its titles, as the data name it: two titles are never the same."""
        return group.model_copy(
            update={
                "name": _key(self.groups, group.name),
                "label": _key(self.classes, group.label),
                "attribute": _key(self.values, group.attribute),
            }
        )

    def name_attribute(self, title: str) -> str:
        """The name that the data have for an attribute."""
        return _key(self.attributes, title)


def _key(titles: dict[str, str], shown: str) -> str:
    return next((name for name, title in titles.items() if title == shown), shown)
