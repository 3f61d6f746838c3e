"""`titles` of `params.yaml`: what reports call a dataset, its attributes, values and classes. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.settings.base import Settings


def _as_text(given: Any) -> Any:
    """YAML reads `0:` as a number; classes are often called that."""
    if not isinstance(given, Mapping):
        return given
    return {key if isinstance(key, str) else str(key): value for key, value in given.items()}


def _not_blank(title: str) -> str:
    if not title.strip():
        raise ValueError("a title must have a letter; leave the key out to keep the name")
    return title.strip()


Title = Annotated[str, AfterValidator(_not_blank)]
Renamed = Annotated[dict[str, Title], BeforeValidator(_as_text)]


class TitlesSettings(Settings):
    """Names as the data have them -> what people read; a change reruns verdict and report, no training."""

    dataset: Title | None = Field(None, description="what the report is called")
    attribute: Title | Renamed | None = Field(
        None, description="of what forms the groups; several: a mapping from names to titles"
    )
    values: Renamed = Field(default_factory=dict, description="of attributes: value -> title")
    classes: Renamed = Field(default_factory=dict, description="or superclasses: name -> title")
