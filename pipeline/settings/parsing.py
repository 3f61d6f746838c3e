"""From plain values to validated settings, and errors that name key, value and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError

from pipeline.core.errors import InputError
from pipeline.settings.base import Settings, written_by_nobody

T = TypeVar("T", bound=Settings)


_N_PROBLEMS = 10  # that one message lists


_N_SHOWN = 80  # characters of a wrong value


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
    lines = [_explain(model, problem, where) for problem in problems[:_N_PROBLEMS]]
    if len(problems) > _N_PROBLEMS:
        lines.append(f"and {len(problems) - _N_PROBLEMS} more")
    return InputError("params.yaml is not valid:\n  " + "\n  ".join(lines))


def _explain(model: type[Settings], problem: Any, where: str) -> str:
    loc, _ = _follow(model, problem["loc"])
    place = ".".join([where, *loc]) if where else ".".join(loc)
    if problem["type"] == "extra_forbidden":
        known = _keys(_follow(model, problem["loc"][:-1])[1])
        hint = did_you_mean(loc[-1], known)
        allowed = f" Allowed here: {', '.join(known)}." if known else ""
        return f"{place} is not a known key{hint}{'' if hint else '.'}{allowed}"
    if problem["type"] in ("missing", "union_tag_not_found"):
        tag = problem.get("ctx", {}).get("discriminator", "").strip("'")
        return f"{place}{'.' if tag else ''}{tag} is missing."
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "union_tag_invalid":
        found, known = problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
        return f"{place}.{problem['ctx']['discriminator'].strip(chr(39))} = {found!r}: known are {known}."
    given = problem["input"]
    if given is None:
        place, message = f"{place} is empty", f"{message[:1].lower()}{message[1:]}"
    elif not isinstance(given, Mapping):  # else a rule over several keys, whose message has their values
        place = f"{place} = {_shortened(given)}"
    return f"{place}: {message}." if place else f"{message}."


def _shortened(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _N_SHOWN else f"{shown[:_N_SHOWN]}..."


def _follow(model: Any, loc: Sequence[int | str]) -> tuple[list[str], Any]:
    """The keys of a problem's place as people write them, and the model there (None: none).

    Where several models share a key, pydantic puts the name of the one that was tried behind it.
    """
    keys, parts = [], iter(str(part) for part in loc)
    for part in parts:
        keys.append(part)
        annotation, discriminator = _below(model, part)
        models = [each for each in (annotation, *get_args(annotation)) if hasattr(each, "model_fields")]
        if discriminator:
            tag = next(parts, None)
            models = [m for m in models if tag in get_args(m.model_fields[discriminator].annotation)]
        is_mapping = get_origin(annotation) is dict
        model = annotation if is_mapping else next(iter(models), None)
    return keys, model


def _below(model: Any, part: str) -> tuple[Any, str | None]:
    """The type of a key's value, and by which of its own keys one of several models is chosen."""
    if get_origin(model) is dict:  # of any keys
        annotation = get_args(model)[1]
        info = next(iter(getattr(annotation, "__metadata__", ())), None)
        return (get_args(annotation)[0] if info else annotation), getattr(info, "discriminator", None)
    fields = getattr(model, "model_fields", {}).items()
    info = next((info for name, info in fields if part in (name, info.alias)), None)
    return getattr(info, "annotation", None), getattr(info, "discriminator", None)


def _keys(model: Any) -> list[str]:
    fields = getattr(model, "model_fields", {})
    hidden = written_by_nobody(model) if fields else set()
    return [info.alias or name for name, info in fields.items() if name not in hidden]
