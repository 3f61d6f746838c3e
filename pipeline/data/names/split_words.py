"""Words that people use for splits, in names of folders, columns and cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from pipeline.core.types import SplitName
from pipeline.data.names.spelling import spelling_key


def json_text(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


Place = Literal["train", "val", "test", "leave_out"]


PLACES: tuple[Place, ...] = get_args(Place)


WORDS: dict[str, SplitName] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}


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


NO = {"0", "false", "no", "n", "", "-"}


YES = {"1", "true", "yes", "y", "x"}


EVAL = {"eval", "evaluation"}  # val beside a test split, test beside a val split


_HINTS: dict[str, Place] = {
    **dict.fromkeys(("trainval", "learn", "learning", "development", "labeled"), "train"),
    **dict.fromkeys(("holdout", "heldout", "hold", "held", "query", "gallery", "public", "private"), "test"),
    **dict.fromkeys((*EVAL, "final", "holdouts", "unseen", "ood", "oos"), "test"),
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


_FLAGS = WORDS.keys() | EVAL | {"holdout", "holdouts", "heldout", "unseen", "ood", "oos"}


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
    if len({place for value in own if (place := hint(value))}) > 1:
        return True
    said = [value for value in own if plain_split(value) in ("train", "test") or _names_flag(value)]
    return len(values) == len(own) == 2 and len(said) > 0


def hint(name: str) -> Place | None:
    """The split that is among the words of a name, or among those that people use for one."""
    return hinted_split(name) or next((_HINTS[word] for word in _words(name) if word in _HINTS), None)
