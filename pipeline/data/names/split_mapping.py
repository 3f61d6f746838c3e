"""The mapping from names to splits: given by the user, or asked for with one to start from."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Mapping, Sequence

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.names.naming import natural_key
from pipeline.data.names.split_names import read_plainly
from pipeline.data.names.split_words import NO, PLACES, YES, Place, clean, hint, json_text
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import SplitValues


def ask(
    what: str,
    counts: Mapping[str, int],
    why: str,
    *,
    column: str | None = None,
    level: int = 1,
    without_classes: Sequence[str] = (),
    is_by_name: bool = False,
) -> InputError:
    """The error that asks for a mapping, with one to start from, as flags and as YAML.

    Args:
        what: the folder or column, in words.
        column: the table's column; None: they are folders.
        level: of the folders.
        without_classes: folders whose images have no class, good for nothing but leaving them out.
        is_by_name: they are names of files that hold many images, or of arrays.
    """
    places, _ = read_plainly(counts, has_numbers=False)
    places |= _flag_places(column, counts)
    return InputError(
        _question(
            what,
            counts,
            why,
            places | dict.fromkeys(without_classes, "leave_out"),
            column=column,
            level=level,
            is_by_name=is_by_name,
        )
    )


def _flag_places(column: str | None, counts: Mapping[str, int]) -> dict[str, Place]:
    """`is_valid` = True is val, and False the train that remains."""
    split = hint(column) if column else None
    if split is None or not {clean(name) for name in counts} <= NO | YES:
        return {}
    other: Place = "test" if split == "train" else "train"
    return {name: split if clean(name) in YES else other for name in counts}


def _question(
    what: str,
    counts: Mapping[str, int],
    why: str,
    places: Mapping[str, Place],
    *,
    column: str | None = None,
    level: int = 1,
    is_by_name: bool = False,
) -> str:
    mapping = _propose(counts, places)
    flags = f"--split-column {shlex.quote(column)} " if column else ""
    flags += f"--split-level {level} " if level > 1 else ""
    key = f"  split_level: {level}\n" if level > 1 else ""
    no_split = (
        f"If {column!r} is no split: --no-split (in params.yaml: `columns.split: null`)."
        if column
        else "If the folders are classes: --no-split (in params.yaml: `split_level: 0`)."
    )
    if is_by_name:
        no_split = "If the names are no splits: --no-split (in params.yaml: `split_by_name: false`)."
    return (
        f"{what} looks like a split, but it is not plain which images are for training and which for testing "
        f"({why}). Found: {_counted(counts)}.\n"
        "Say it with flags of new-dataset; these are a guess, correct them:\n"
        f"  {flags}{as_flags(mapping)}\n"
        "or in params.yaml, under `source`:\n"
        f"{key}  {as_yaml(mapping)}\n"
        f"A split that nothing is said to be is carved from train; leave_out takes images out. {no_split}"
    )


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{json_text(n)} ({counts[n]:,})" for n in sorted(counts, key=natural_key)]
    return list_some(shown, 12)


def _propose(counts: Mapping[str, int], places: Mapping[str, Place]) -> dict[Place, list[str]]:
    """A mapping that holds every name, has a train and is worth correcting."""
    guess: dict[str, Place | None] = {}
    for name in sorted(counts, key=natural_key):
        guess[name] = places.get(name) or hint(name)
    unknown = [name for name, place in guess.items() if place is None]
    if unknown and "train" not in guess.values():
        named = [name for name in unknown if name.strip()] or unknown
        last: list[Place] = [] if "test" in guess.values() else ["test"]
        if len(named) > len(last) + 1 and "val" not in guess.values():
            last = ["val", *last]
        last = last[max(0, len(last) - len(named) + 1) :]
        in_order: list[Place] = ["train"] * (len(named) - len(last))
        guess |= dict(zip(named, in_order + last, strict=True))
    elif "train" not in guess.values():
        guess[max(counts, key=lambda name: counts[name])] = "train"
    mapping: dict[Place, list[str]] = {place: [] for place in PLACES}
    for name, place in guess.items():
        mapping[place or "leave_out"].append(name)
    return {place: names for place, names in mapping.items() if names}


def propose_flags(names: Mapping[str, int], level: int) -> str:
    """Flags of `new-dataset` that take folders of a level for splits, the last ones for testing."""
    flags = f"--split-level {level} " if level > 1 else ""
    return flags + as_flags(_propose(names, {}))


def as_flags(mapping: Mapping[Place, Sequence[str]]) -> str:
    """`--split train=a,b --split test=c`, as a shell takes it."""
    flags = []
    for place, names in mapping.items():
        named = [name for name in names if name]
        cells = [_quote(name) for name in named]
        parts = ([",".join(cells)] if cells else []) + ([""] if len(named) < len(names) else [])
        flags += [f"--split {shlex.quote(f'{place}={part}')}" for part in parts]
    return " ".join(flags)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[,"]|^\s|\s$', name) else name


def as_yaml(mapping: Mapping[Place, Sequence[str]]) -> str:
    """`splits: {train: ["a", "b"], test: ["c"]}`: one line of YAML."""
    lists = (f"{place}: {json.dumps(list(names), ensure_ascii=False)}" for place, names in mapping.items())
    return f"splits: {{{', '.join(lists)}}}"


def parse_flags(flags: Sequence[str]) -> dict[Place, list[str]]:
    """What `--split train=a,b --split test=c` says; a name with a comma stands in double quotes.

    Raises:
        InputError: not of the form PLACE=NAMES.
    """
    mapping: dict[Place, list[str]] = {}
    for flag in flags:
        place, equals, names = flag.partition("=")
        place = place.strip()
        if not equals or place not in PLACES:
            raise InputError(
                f"--split {flag!r}: write PLACE=NAMES, for example --split train=a,b; PLACE is one of "
                f"{', '.join(PLACES)}{did_you_mean(place, PLACES) or '.'}"
            )
        mapping.setdefault(place, []).extend(next(csv.reader([names]), []) or [""])
    return mapping


def read_given(
    given: SplitValues, counts: Mapping[str, int], what: str, *, column: str | None = None, level: int = 1
) -> dict[str, Place]:
    """The place of each name as the user says it.

    Raises:
        InputError: a name said twice or not there, or one that is there and not said.
    """
    said: dict[str, Place] = {}
    found = {clean(name): name for name in counts}
    for place in PLACES:
        for name in getattr(given, place):
            if said.setdefault(clean(name), place) != place:
                raise InputError(f"source.splits says both {said[clean(name)]} and {place} of {name!r}.")
            if clean(name) not in found:
                raise InputError(
                    f"source.splits.{place} (--split {place}=...) names {name!r}, which {what} does not have"
                    f"{did_you_mean(name, counts) or '.'} Found: {_counted(counts)}."
                )
    missing = [name for name in counts if clean(name) not in said]
    if missing:
        places = {name: said[clean(name)] for name in counts if clean(name) in said}
        why = f"not said: {list_some([json_text(name) for name in missing])}"
        raise InputError(_question(what, counts, why, places, column=column, level=level))
    return {name: said[clean(name)] for name in counts}
