"""Which outputs of a model are which classes of a dataset: by name, or as the user wrote it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from pipeline.core.errors import UnmatchedClassesError
from pipeline.core.words import list_some
from pipeline.settings.models import Classes

UNNAMED = re.compile(r"(label|class|output)?[_ ]?\d+", re.IGNORECASE)  # no names: LABEL_0, 17
_SHOWN = 12
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # of YAML


def match_classes(
    classes: Sequence[str],
    *,
    outputs: Sequence[str] | None,
    n_outputs: int,
    given: Classes | None,
    where: str,
) -> list[list[int]]:
    """For each class of the dataset the outputs that speak for it.

    Args:
        classes: of the dataset.
        outputs: the names that the model has for its outputs; None or such as LABEL_0: it has none.
        given: what the user wrote under `classes`.
        where: the entry, for messages: `models.my_net`.

    Raises:
        UnmatchedClassesError: a class has no output, or it is not plain which; with what to write.
    """
    if isinstance(given, Mapping):
        return _by_mapping(classes, outputs, n_outputs, given, where)
    names, source = (
        (given, f"{where}.classes") if given is not None else (said_names(outputs, classes), "the model")
    )
    if names is None:
        raise UnmatchedClassesError(
            f"{where}: the model does not say which of its {n_outputs} outputs is which class. Write it, "
            f"the class of each output in their order: {_proposal(where, classes, n_outputs)}"
        )
    if len(names) != n_outputs:
        raise UnmatchedClassesError(
            f"{source} names {len(names)} classes, and the model has {n_outputs} outputs. Write the class "
            f"of each output in their order: {_proposal(where, classes, n_outputs)}"
        )
    columns = [_places(name, names) for name in classes]
    _check(classes, columns, names, where)
    return columns


def read_as(columns: Sequence[Sequence[int]], n_outputs: int) -> list[list[int]] | None:
    """None where outputs and classes are the same in the same order."""
    return (
        None
        if [list(own) for own in columns] == [[k] for k in range(n_outputs)]
        else [list(c) for c in columns]
    )


def describe(columns: Sequence[Sequence[int]], n_outputs: int) -> str:
    """A sentence on how a model is read on the classes; empty where they are the same."""
    used = sum(map(len, columns))
    if read_as(columns, n_outputs) is None:
        return ""
    if used == n_outputs:
        return "its outputs were put in the order of the dataset's classes" + (
            "" if used == len(columns) else ", and those of one class summed up"
        )
    left_out = "what it would give the others is left out"
    return f"it knows {n_outputs:,} classes and is read on {used:,} of them: {left_out}"


def folded(name: str) -> str:
    """A name without case, Unicode form, and what stands for a space.

    >>> folded("Great_White Shark"), folded("great-white-shark")
    ('great white shark', 'great white shark')
    """
    return " ".join(re.sub(r"[_\s-]+", " ", unicodedata.normalize("NFKC", name)).split()).casefold()


def said_names(outputs: Sequence[str] | None, classes: Sequence[str]) -> list[str] | None:
    """Names that say something: not such as LABEL_0 or 17, unless the classes are called just so."""
    names = [str(name) for name in outputs or []]
    says_nothing = all(UNNAMED.fullmatch(name.strip()) for name in names)
    return None if says_nothing and set(names) != set(classes) else names


def _places(name: str, names: Sequence[str]) -> list[int]:
    """Outputs of exactly this name, else those whose name is the same but for case and spaces."""
    exact = [k for k, other in enumerate(names) if other == name]
    return exact or [k for k, other in enumerate(names) if folded(other) == folded(name)]


def _check(classes: Sequence[str], columns: list[list[int]], names: Sequence[str], where: str) -> None:
    absent = [name for name, own in zip(classes, columns, strict=True) if not own]
    if absent:
        raise UnmatchedClassesError(
            f"{where}: the model has no output for {list_some(absent, _SHOWN)}; it has "
            f"{list_some(names, _SHOWN)}. Write which output is which class: `classes: "
            f"{{ {yaml_text(absent[0])}: {yaml_text(names[0])}, ... }}`."
        )
    twice = [name for name, own in zip(classes, columns, strict=True) if len(own) > 1]
    if twice:
        own = columns[list(classes).index(twice[0])]
        raise UnmatchedClassesError(
            f"{where}: {len(own)} outputs are called {twice[0]}. Write their places: `classes: "
            f"{{ {yaml_text(twice[0])}: {own}, ... }}`."
        )
    taken: dict[int, str] = {}
    for name, (at,) in zip(classes, columns, strict=True):
        if at in taken:
            raise UnmatchedClassesError(
                f"{where}: {taken[at]} and {name} of the dataset are both like the output {names[at]}. Write "
                f"which output is which class: `classes: {{ {yaml_text(taken[at])}: {at}, "
                f"{yaml_text(name)}: ... }}`."
            )
        taken[at] = name


def _by_mapping(
    classes: Sequence[str],
    outputs: Sequence[str] | None,
    n_outputs: int,
    given: Mapping[str, Sequence[str | int]],
    where: str,
) -> list[list[int]]:
    keys = list(given)
    own = {name: [keys[at] for at in _places(name, keys)] for name in classes}
    unknown = [key for key in keys if not any(key in found for found in own.values())]
    absent = [name for name, found in own.items() if not found]
    two = [name for name, found in own.items() if len(found) > 1]
    if two:
        raise UnmatchedClassesError(
            f"{where}.classes names {two[0]} twice, as {' and '.join(own[two[0]])}. Write it once, with all "
            "of its outputs."
        )
    if unknown or absent:
        wrong = f"names {list_some(unknown, _SHOWN)}" if unknown else f"lacks {list_some(absent, _SHOWN)}"
        raise UnmatchedClassesError(
            f"{where}.classes {wrong}. The dataset's classes are {list_some(classes, _SHOWN)}."
        )
    columns = [
        [_place(at, outputs, n_outputs, f"{where}.classes.{name}") for at in given[key]]
        for name, (key,) in own.items()
    ]
    used = [k for own in columns for k in own]
    twice = sorted({k for k in used if used.count(k) > 1})
    if twice:
        raise UnmatchedClassesError(
            f"{where}.classes names output {twice[0]} more than once. Give it to one class, once."
        )
    return columns


def _place(at: str | int, outputs: Sequence[str] | None, n_outputs: int, where: str) -> int:
    if isinstance(at, int):
        if not 0 <= at < n_outputs:
            raise UnmatchedClassesError(f"{where} = {at}: the model's outputs are 0 to {n_outputs - 1}.")
        return at
    found = _places(at, [str(name) for name in outputs or []])
    if len(found) == 1:
        return found[0]
    if found:
        raise UnmatchedClassesError(
            f"{where} = {at!r}: outputs {list_some(list(map(str, found)), 9)} are called so. Write one."
        )
    known = f"it has {list_some(list(outputs), _SHOWN)}" if outputs else "its outputs have no names"
    raise UnmatchedClassesError(
        f"{where} = {at!r} is no output of the model; {known}. Write a name, or a place from 0 on."
    )


def yaml_text(name: str) -> str:
    """As YAML reads it as this very text, also within brackets."""
    is_plain = re.fullmatch(r"[^\W\d_][\w -]*", name) and name.casefold() not in _NOT_TEXT
    return name if is_plain and name == name.strip() else json.dumps(name, ensure_ascii=False)


def _proposal(where: str, classes: Sequence[str], n_outputs: int) -> str:
    is_whole = n_outputs == len(classes) <= _SHOWN
    shown = ", ".join([*map(yaml_text, classes[:_SHOWN]), *([] if is_whole else ["..."])])
    return f"`{where}.classes: [{shown}]`, if that is their order."
