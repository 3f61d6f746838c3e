"""What every group of settings is built on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator takes


class Settings(BaseModel):
    """Unknown keys are errors, values are read-only and finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_truth_values(cls, given: Any) -> Any:
        """Python counts true as 1, and `epochs: true` would train one epoch; the word is no number."""
        if not isinstance(given, Mapping):
            return given
        return {
            key: _as_words(value)
            if key in cls.model_fields and _is_number(cls.model_fields[key].annotation)
            else value
            for key, value in given.items()
        }


def _as_words(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_words(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value


def _is_number(annotation: Any) -> bool:
    kinds = _kinds(annotation)
    return bool(kinds & {int, float}) and bool not in kinds


def _kinds(annotation: Any) -> set[Any]:
    """The types that a value, or an item of a list, may have."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return {type(part) for part in parts}
    if get_origin(annotation) is Annotated:
        parts = parts[:1]
    return set().union(*map(_kinds, parts)) if parts else {annotation}
