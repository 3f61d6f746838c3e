"""What a source calls its splits: what is plain is read, what is not stops with the mapping to write.

Names are of folders or of a table column's cells. Case, spaces around them and "1.0" for "1" say nothing.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from pipeline.core.errors import InputError
from pipeline.core.types import SplitName
from pipeline.data.names.naming import list_some, natural_key
from pipeline.data.names.spelling import spelling_key
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import SplitValues

Place = Literal["train", "val", "test", "leave_out"]
PLACES: tuple[Place, ...] = get_args(Place)
WORDS: dict[str, SplitName] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
_NUMBERS: dict[str, Place] = {"0": "train", "1": "val", "2": "test"}  # as in WILDS and CelebA
COLUMN_WORDS = frozenset(
    (
        "split",
        "splits",
        "partition",
        "subset",
        "fold",
        "folds",
        "kfold",
        "xfold",
        "cvfold",
        "phase",
        "usage",
        "set",
        "traintest",
    )
)
MAX_VALUES = 100  # more are no splits, unless the column is named like one
_GENERIC = {"set", "sets", "split", "data", "images", "image", "imgs", "folder"}  # "test set" is "test"
_NO, _YES = {"0", "false", "no", "n", "", "-"}, {"1", "true", "yes", "y", "x"}
_EVAL = {"eval", "evaluation"}  # val beside a test split, test beside a val split
_HINTS: dict[str, Place] = {
    **dict.fromkeys(("trainval", "learn", "learning", "development", "labeled"), "train"),
    **dict.fromkeys(("holdout", "heldout", "hold", "held", "query", "gallery", "public", "private"), "test"),
    **dict.fromkeys((*_EVAL, "final", "holdouts", "unseen", "ood", "oos"), "test"),
    **dict.fromkeys(("entrenamiento", "entraînement", "apprentissage", "addestramento", "treino"), "train"),
    **dict.fromkeys(("validierung", "validación", "validazione", "validação"), "val"),
    **dict.fromkeys(("prüfung", "pruefung", "prueba", "prova", "teste"), "test"),
}
# a flag's name says a split (`is_holdout`, `for_training`) if nothing but these stand beside it
_BESIDE_FLAG = (
    frozenset(
        ("is", "in", "for", "use", "used", "as", "the", "data", "flag", "mask", "sample", "samples", "only")
    )
    | _GENERIC
)
_FLAGS = WORDS.keys() | _EVAL | {"holdout", "holdouts", "heldout", "unseen", "ood", "oos"}
# words that "train" or "test" stand beside as a vehicle or as the arm of a trial
_OTHER_SENSES = frozenset(
    {"bus", "car", "plane", "airplane", "aeroplane", "bicycle", "bike", "boat", "ship", "tram", "truck"}
    | {"motorbike", "motorcycle", "van", "subway", "metro", "control", "placebo", "station", "invalid"}
)


def clean(name: str) -> str:
    """What two names have in common that mean the same split."""
    return re.sub(r"^(\d+)\.0+$", r"\1", spelling_key(name))


def plain_split(name: str) -> SplitName | None:
    """The split that a name says on its own ("Train ", "test set"), or None."""
    said = [word for word in _words(name) if word not in _GENERIC]
    return WORDS.get(clean(name)) or (WORDS.get(said[0]) if len(said) == 1 else None)


def hinted_split(name: str) -> SplitName | None:
    """The split that is among the words of a name ("seg_train", "val2017"), or None."""
    return next((WORDS[word] for word in _words(name) if word in WORDS), None)


def are_folds(names: Iterable[str]) -> bool:
    """Whether all names are of numbered parts ("fold1", "split-2")."""
    words = [_words(name) for name in names]
    return len(words) > 1 and all(
        len(each) == 2 and each[0] in COLUMN_WORDS and each[1].isdecimal() for each in words
    )


def _words(name: str) -> list[str]:
    text = clean(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    words = re.findall(r"[^\W\d_]+|\d+", re.sub(r"(hold|held)[\W_]*out", r"\1out", text))
    stems = [re.sub(r"(set|s?daten|data|split)$", "", word) for word in words]
    return [stem if stem in WORDS else word for stem, word in zip(stems, words, strict=True)]


def read_plainly(counts: Mapping[str, int], *, has_numbers: bool) -> tuple[dict[str, Place], str]:
    """The place of each name, and why it is not plain ("" where all is).

    Args:
        counts: images per name.
        has_numbers: 0, 1 and 2 may mean train, val and test, which those of a fold do not.
    """
    found = {name: plain_split(name) for name in counts}
    places: dict[str, Place] = {name: split for name, split in found.items() if split is not None}
    evals = [name for name in counts if clean(name) in _EVAL]
    known = set(places.values())
    if evals and "train" in known and len(known) == 2:
        places |= dict.fromkeys(evals, "val" if "test" in known else "test")
    if {clean(name) for name in counts} == set(_NUMBERS):
        if not has_numbers:
            return {}, "numbers of folds say nothing about which one is tested on"
        if max(counts.values()) - min(counts.values()) <= 1:
            return {}, "parts of equal size are folds rather than train, val and test"
        places = {name: _NUMBERS[clean(name)] for name in counts}
    unclear = [name for name in counts if name not in places]
    if unclear:
        return places, f"not understood: {list_some([_json(n) for n in unclear])}"
    return places, "" if "train" in places.values() else "none of them is train"


def looks_like_split(column: str, values: Iterable[str]) -> bool:
    """Whether a table's column is a split by its name (`data_split`, `Fold`, `is_train`) or by its cells."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    if not words:
        return False
    values = list(values)
    is_named = words[-1] in COLUMN_WORDS or (words[0] == "is" and hinted_split(column) is not None)
    if len(values) > MAX_VALUES:
        return is_named
    n_filled = sum(bool(value.strip()) for value in values)
    is_flag = len(values) > 1 and n_filled <= 2 and _names_flag(column)
    return is_named or is_flag or _say_split(values) or are_folds(values)


def _names_flag(name: str) -> bool:
    words = {word for word in _words(name) if not word.isdecimal()}
    return bool(words & _FLAGS) and words <= _FLAGS | _BESIDE_FLAG


def _say_split(values: Sequence[str]) -> bool:
    """Whether cells name splits: two different ones, or one of two values does ("Training", "Prüfung")."""
    own = [value for value in values if not _OTHER_SENSES & set(_words(value))]
    if len({place for value in own if (place := _hint(value))}) > 1:
        return True
    said = [value for value in own if plain_split(value) in ("train", "test") or _names_flag(value)]
    return len(values) == len(own) == 2 and len(said) > 0


def _hint(name: str) -> Place | None:
    """The split that is among the words of a name, or among those that people use for one."""
    return hinted_split(name) or next((_HINTS[word] for word in _words(name) if word in _HINTS), None)


def read_column(column: str, counts: Mapping[str, int]) -> tuple[dict[str, Place], str]:
    """`read_plainly` for a column: 0, 1 and 2 mean something in `split`, nothing in `fold` or `set`."""
    words = re.findall(r"[a-z]+", column.lower())
    return read_plainly(counts, has_numbers=not words or words[-1] in ("split", "splits", "partition"))


def say(what: str, places: Mapping[str, Place]) -> list[str]:
    """A note on every name that is not the split's own, and on what is left out."""
    order = sorted(places, key=natural_key)
    read = [f"{_json(name)} -> {places[name]}" for name in order if name != places[name]]
    return [f"{what} read as splits: {list_some(read, 12)}"] if read else []


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
        why = f"not said: {list_some([_json(name) for name in missing])}"
        raise InputError(_question(what, counts, why, places, column=column, level=level))
    return {name: said[clean(name)] for name in counts}


def ask(
    what: str,
    counts: Mapping[str, int],
    why: str,
    *,
    column: str | None = None,
    level: int = 1,
    without_classes: Sequence[str] = (),
) -> InputError:
    """The error that asks for a mapping, with one to start from, as flags and as YAML.

    Args:
        what: the folder or column, in words.
        column: the table's column; None: they are folders.
        level: of the folders.
        without_classes: folders whose images have no class, good for nothing but leaving them out.
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
        )
    )


def _flag_places(column: str | None, counts: Mapping[str, int]) -> dict[str, Place]:
    """`is_valid` = True is val, and False the train that remains."""
    split = _hint(column) if column else None
    if split is None or not {clean(name) for name in counts} <= _NO | _YES:
        return {}
    other: Place = "test" if split == "train" else "train"
    return {name: split if clean(name) in _YES else other for name in counts}


def _question(
    what: str,
    counts: Mapping[str, int],
    why: str,
    places: Mapping[str, Place],
    *,
    column: str | None = None,
    level: int = 1,
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
    shown = [f"{_json(n)} ({counts[n]:,})" for n in sorted(counts, key=natural_key)]
    return list_some(shown, 12)


def _propose(counts: Mapping[str, int], places: Mapping[str, Place]) -> dict[Place, list[str]]:
    """A mapping that holds every name, has a train and is worth correcting."""
    guess: dict[str, Place | None] = {}
    for name in sorted(counts, key=natural_key):
        guess[name] = places.get(name) or _hint(name)
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


def _json(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


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
