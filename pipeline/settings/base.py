"""What every group of settings is built on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator takes


def _differ(seeds: list[int]) -> list[int]:
    if len(set(seeds)) != len(seeds):
        raise ValueError("seeds must be different")
    return seeds


Seeds = Annotated[list[Seed], AfterValidator(_differ)]  # a training repeated with one seed is no second one


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


class DecidesNothing:
    """Marks a setting that no result depends on, such as how many processes work: a change reruns nothing."""


class FilledIn:
    """Marks a setting that is made of others: nobody writes it, and no message offers it."""


def written_by_nobody(model: type[BaseModel]) -> set[str]:
    """The settings that are `FilledIn`."""
    fields = model.model_fields.items()
    return {name for name, info in fields if any(isinstance(mark, FilledIn) for mark in info.metadata)}


def deciding(settings: BaseModel) -> dict[str, Any]:
    """The settings as plain values, without those that no result depends on."""
    return _split(settings)[0]


def deciding_nothing(settings: BaseModel) -> dict[str, Any]:
    """Those that `deciding` leaves out, at the same places."""
    return _split(settings)[1]


def _split(settings: BaseModel) -> tuple[dict[str, Any], dict[str, Any]]:
    values = settings.model_dump(mode="json", by_alias=True)
    decides: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, info in type(settings).model_fields.items():
        if info.exclude:
            continue
        key = info.alias or name
        if any(isinstance(mark, DecidesNothing) for mark in info.metadata):
            others[key] = values[key]
            continue
        decides[key], rest = _split_value(getattr(settings, name), values[key])
        others |= {key: rest} if rest else {}
    return decides, others


def _split_value(value: Any, plain: Any) -> tuple[Any, dict[str, Any]]:
    if isinstance(value, BaseModel):
        return _split(value)
    if isinstance(value, Mapping) and any(isinstance(part, BaseModel) for part in value.values()):
        parts = {key: _split_value(part, plain[key]) for key, part in value.items()}
        decides = {key: part for key, (part, _) in parts.items()}
        return decides, {key: rest for key, (_, rest) in parts.items() if rest}
    return plain, {}
