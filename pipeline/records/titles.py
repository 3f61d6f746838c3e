"""What people read instead of the names that the data have."""

from __future__ import annotations

from pydantic import Field

from pipeline.records.base import Record


class Titles(Record):
    """Name -> title; what is not there keeps its name."""

    dataset: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    classes: dict[str, str] = Field(default_factory=dict)  # and superclasses
    groups: dict[str, str] = Field(default_factory=dict)
