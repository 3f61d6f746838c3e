"""From plain values to validated settings, and errors that name key, value and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.core.errors import InputError
from pipeline.settings.base import Settings, written_by_nobody

T = TypeVar("T", bound=Settings)


_N_PROBLEMS = 10  # that one message lists


_N_SHOWN = 80  # characters of a wrong value


_WORDS = {  # for what pydantic calls a problem; with its own numbers
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be of the form {form}",
    "string_unicode": "holds what is no text",
    "invalid_key": "must be text",
    "int_parsing_size": "is too large",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "list_type": "must be a list",
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), "must be a mapping of keys to values"
    ),
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "has {actual_length} values, at least {min_length} are needed",
    "too_long": "has {actual_length} values, at most {max_length} are allowed",
}


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` laid over it, nested mappings merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def did_you_mean(word: str, known: Any) -> str:
    """`"; did you mean 'x'?"` for a near match among `known`, else an empty string."""
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def parse(model: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Validate `values` as `model`.

    Raises:
        InputError: every problem on a line of its own, with its place in params.yaml.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(model, error.errors(), where) from None


def _invalid(model: type[Settings], problems: Sequence[Any], where: str) -> InputError:
    found = _without_other_arms([_Place.of(model, problem) for problem in problems])
    lines = [_explain(place, where) for place in found[:_N_PROBLEMS]]
    if len(found) > _N_PROBLEMS:
        lines.append(f"and {len(found) - _N_PROBLEMS} more")
    return InputError("params.yaml is not valid:\n  " + "\n  ".join(lines))


@dataclass(frozen=True)
class _Place:
    """A problem, where people find it, and the value's place where one of several types was tried."""

    problem: Any
    keys: tuple[str, ...]
    above: Any  # the model that has the last key
    union: tuple[str, ...] | None
    arm: str = ""  # the type that was tried
    further: tuple[Any, ...] = ()  # problems of other types at the same place

    @classmethod
    def of(cls, model: Any, problem: Any) -> _Place:
        loc = tuple(part for part in problem["loc"] if part != "[key]")  # of a mapping's key
        keys, _, union, arm = _follow(model, loc)
        return cls(problem, tuple(keys), _follow(model, loc[:-1])[1], union, arm)


def _without_other_arms(places: Sequence[_Place]) -> list[_Place]:
    """Where one of several types is allowed, the problems of the one that fits the value furthest."""
    depths: dict[tuple[str, ...], dict[str, int]] = {}
    for place in places:
        if place.union:
            arms = depths.setdefault(place.union, {})
            arms[place.arm] = max(arms.get(place.arm, 0), len(place.keys))
    found: list[_Place] = []
    for place in places:
        arms = depths.get(place.union or (), {})
        if arms and arms[place.arm] < max(arms.values()):
            continue
        same = next((k for k, p in enumerate(found) if arms and p.keys == place.keys), None)
        if same is None:
            found.append(place)
        else:
            found[same] = replace(found[same], further=(*found[same].further, place.problem))
    return found


def _explain(found: _Place, where: str) -> str:
    problem, loc = found.problem, found.keys
    place = ".".join([where, *loc]) if where else ".".join(loc)
    if problem["type"] == "extra_forbidden":
        known = _keys(found.above)
        hint = did_you_mean(loc[-1], known)
        allowed = f" Allowed here: {', '.join(known)}." if known else ""
        return f"{place} is not a known key{hint}{'' if hint else '.'}{allowed}"
    tag = str(problem.get("ctx", {}).get("discriminator", "")).strip("'")
    if problem["type"] == "missing":
        return f"{place} is missing."
    if problem["type"] == "union_tag_not_found":
        return f"{place}.{tag} is missing: write one of {', '.join(_tags(found.above, loc[-1], tag))}."
    if problem["type"] == "union_tag_invalid":
        given, known = problem["input"].get(tag), _tags(found.above, loc[-1], tag)
        hint = did_you_mean(given, known) or ":"
        return f"{place}.{tag} = {_shortened(given)}{hint} known are {', '.join(known)}."
    form = _form(found.above, loc[-1]) if loc else ""
    words = [_in_words(each, form) for each in (problem, *found.further)]
    message = " or ".join([words[0], *(other.removeprefix("must be ") for other in words[1:])])
    given = problem["input"]
    if problem["type"] == "list_type" and _fits(found.above, loc[-1], [given]):
        message += f". Write [{given}]"
    if given is None:
        place, message = f"{place} is empty", f"{message[:1].lower()}{message[1:]}"
    elif problem["type"] in _WORDS or not isinstance(given, Mapping):
        # else a rule over several keys, whose message has their values
        place = f"{place} = {_shortened(given)}"
    return f"{place}: {message}." if place else f"{message}."


def _in_words(problem: Any, form: str) -> str:
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]].format(**problem.get("ctx", {}), form=form)
    return str(problem["msg"].removeprefix("Value error, "))


def _fits(above: Any, key: str, value: Any) -> bool:
    """Whether a key takes a value, so that it can be proposed."""
    annotation, info = _below(above, key)[0], _field(above, key)
    if annotation is None or not isinstance(value[0], str | int | float):
        return False
    try:
        wanted: Any = Annotated[annotation, Field(), *getattr(info, "metadata", ())]
        TypeAdapter(wanted).validate_python(value)
    except ValidationError:
        return False
    return True


def _form(above: Any, key: str) -> str:
    """An example of a text that has to be of one form."""
    info = _field(above, key)
    return str((getattr(info, "examples", None) or [""])[0])


def _tags(above: Any, key: str, tag: str) -> list[str]:
    """Values of the key by which one of several models is chosen."""
    models = _members(_below(above, key)[0])
    return [str(value) for model in models for value in get_args(model.model_fields[tag].annotation)]


def _shortened(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _N_SHOWN else f"{shown[:_N_SHOWN]}..."


def _follow(model: Any, loc: Sequence[int | str]) -> tuple[list[str], Any, tuple[str, ...] | None, str]:
    """The keys of a problem's place as people write them, the model there (None: none), its union and type.

    Where several types share a key, pydantic puts the name of the one that was tried behind it.
    """
    keys: list[str] = []
    union, arm, parts = None, "", iter(str(part) for part in loc)
    for part in parts:
        keys.append(part)
        annotation, discriminator = _below(model, part)
        members = _members(annotation)
        if discriminator:
            tag = next(parts, None)
            members = [m for m in members if tag in get_args(m.model_fields[discriminator].annotation)]
        elif len(members) > 1 and (tried := next(parts, None)) is not None:
            if union is None:
                union, arm = tuple(keys), tried
            kind = tried.partition("[")[0]
            members = [m for m in members if getattr(get_origin(m) or m, "__name__", "") == kind]
        model = next(iter(members), None)
    return keys, model, union, arm


def _members(annotation: Any) -> list[Any]:
    """The types that a value may have, without none."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        return [m for each in get_args(annotation) if each is not NoneType for m in _members(each)]
    return [] if annotation is None else [annotation]


def _below(model: Any, part: str) -> tuple[Any, str | None]:
    """The type of a key's value, and by which of its own keys one of several models is chosen."""
    if get_origin(model) in (dict, list):  # of any keys, or of places
        annotation = get_args(model)[-1]
        marks = getattr(annotation, "__metadata__", ())
        return annotation, next((m.discriminator for m in marks if getattr(m, "discriminator", None)), None)
    info = _field(model, part)
    return getattr(info, "annotation", None), getattr(info, "discriminator", None)


def _field(model: Any, key: str) -> Any:
    fields = getattr(model, "model_fields", {}).items()
    return next((info for name, info in fields if key in (name, info.alias)), None)


def _keys(model: Any) -> list[str]:
    fields = getattr(model, "model_fields", {})
    hidden = written_by_nobody(model) if fields else set()
    return [info.alias or name for name, info in fields.items() if name not in hidden]
