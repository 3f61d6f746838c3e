"""What may hold of an image, in words: its class, annotated columns, what its file says, what it looks like.

Every condition is made on validation images, without a look at mistakes, and read off test images.

Shape legend: N images.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array
from pipeline.core.words import join_names, quoted
from pipeline.cues.cue import Strings
from pipeline.cues.facts import reading
from pipeline.cues.facts.file_name import MOST as MOST_TOKENS
from pipeline.verdict.harm.condition_words import (
    CUE,
    EQUAL,
    FLAGS,
    RANKS,
    SHARES,
    THRESHOLDS,
    TOKEN,
    TURNS,
    WORDS,
    as_written,
    plain_threshold,
)

CLASS = "class"  # the column that the label is
FEW_VALUES = 8  # a number with no more of them is asked for each
ALIKE = 0.3  # of a share: by how much "the darkest fifth" may be more, where many images are equally dark
MOST = 1_500  # conditions: single ones first
Words = Callable[[str], tuple[str, str]]  # of a value: where it holds, and where not


@dataclass(frozen=True)
class Described:
    """What is known of the images of a split."""

    labels: Strings  # N, the class in words
    columns: Mapping[str, Strings] = field(default_factory=dict)  # annotated ones, by title, in words
    facts: pd.DataFrame | None = None  # N rows
    properties: Mapping[str, Float32Array] = field(default_factory=dict)  # N each
    cues: Mapping[str, BoolArray] = field(default_factory=dict)  # found ones, by title: it names the class

    def take(self, rows: Int64Array) -> Described:
        """The same of some images."""
        return Described(
            self.labels[rows],
            {name: words_N[rows] for name, words_N in self.columns.items()},
            None if self.facts is None else self.facts.iloc[rows].reset_index(drop=True),
            {name: values_N[rows] for name, values_N in self.properties.items()},
            {name: aligned_N[rows] for name, aligned_N in self.cues.items()},
        )


@dataclass(frozen=True)
class Condition:
    """Something that holds of an image or does not."""

    columns: tuple[str, ...]  # what it is about
    words: tuple[str, ...]  # what follows "images": "among the darkest fifth"; two where both have to hold
    denied: str  # where it does not hold: "not among the darkest fifth"
    val_N: BoolArray
    test_N: BoolArray
    has_opposite: bool = False  # `denied` is something to be by itself: "of “dog”" rather than "not of “cat”"

    def sides(self) -> list[Condition]:
        """Itself, and its opposite where it has one."""
        if not self.has_opposite:
            return [self]
        opposite = Condition(
            self.columns, (self.denied,), join_names(self.words), ~self.val_N, ~self.test_N, True
        )
        return [self, opposite]


def make_conditions(val: Described, test: Described, least: int) -> list[Condition]:
    """Every condition that `least` validation images fulfill and as many do not, each once.

    A shortcut fails where class and cue do not go together, in each class with another value: classes and
    annotated values alone then say nothing of mistakes, so each is joined with every other condition, too.
    """
    single = _once(_all(val, test), least)
    known_of_all = {CLASS, *val.columns}
    outer = [side for one in single if known_of_all >= {*one.columns} for side in one.sides()]
    inner = [side for one in single for side in one.sides()]
    pairs = (_both(a, b) for a in outer for b in inner if a.columns != b.columns)
    return _once(itertools.chain(single, pairs), least)[:MOST]


def _both(first: Condition, second: Condition) -> Condition:
    words = (*first.words, *second.words)
    return Condition(
        (*first.columns, *second.columns),
        words,
        f"other than those {' '.join(words)}",
        first.val_N & second.val_N,
        first.test_N & second.test_N,
    )


def _once(conditions: Iterable[Condition], least: int) -> list[Condition]:
    """Those that enough images fulfill and do not; the first of those that pick the same images."""
    found, known = list[Condition](), set[bytes]()
    for condition in conditions:
        n = int(condition.val_N.sum())
        same, opposite = (np.packbits(rows).tobytes() for rows in (condition.val_N, ~condition.val_N))
        if least <= n <= len(condition.val_N) - least and not {same, opposite} & known:
            known.add(same)
            found.append(condition)
    return found


def _all(val: Described, test: Described) -> Iterator[Condition]:
    yield from _equal(CLASS, val.labels, test.labels, _class_words)
    for column, val_N in val.columns.items():
        yield from _equal(column, val_N, test.columns[column], _column_words(column))
    if val.facts is not None and test.facts is not None:
        yield from _of_facts(val.facts, test.facts)
    for title, aligned_N in val.cues.items():
        told = CUE[0].format(quoted(title)), CUE[1].format(quoted(title))
        yield _either(title, told, aligned_N, test.cues[title], is_known=True)
    for name, words in RANKS.items():
        if name in val.properties:
            yield from _ranked(name, val.properties[name], test.properties[name], words)


def _class_words(value: str) -> tuple[str, str]:
    return f"of {quoted(value)}", f"not of {quoted(value)}"


def _column_words(column: str) -> Words:
    title = quoted(column)
    return lambda value: (f"whose {title} is {quoted(value)}", f"whose {title} is not {quoted(value)}")


def _of_facts(val: pd.DataFrame, test: pd.DataFrame) -> Iterator[Condition]:
    pairs = {name: (val[name], test[name]) for name in val}
    pairs["camera"] = (_cameras(val), _cameras(test))
    for name, words in WORDS.items():
        if name in pairs:
            own, other = map(reading.words, pairs[name])
            yield from _equal(name, own, other, _fact_words(name, words))
    for name, words in FLAGS.items():
        if name in pairs:
            own_N, other_N = map(_numbers, pairs[name])
            yield _either(name, words, own_N == 1, other_N == 1, _all_known(own_N, other_N))
    for name in dict.fromkeys([*EQUAL, *THRESHOLDS]):
        if name in pairs:
            yield from _numbered(name, *map(_numbers, pairs[name]))
    for name, words in TURNS.items():
        if name in pairs:
            own_N, other_N = map(_numbers, pairs[name])
            yield from _ranked(name, own_N, other_N, words)
    if "name_tokens" in pairs:
        yield from _tokens(*pairs["name_tokens"])


def _fact_words(name: str, words: tuple[str, str]) -> Words:
    """With quotes around what a file may call itself at will."""
    write: Callable[[str], str] = quoted if name in ("camera", "exif_software") else str
    return lambda value: (words[0].format(write(value)), words[1].format(write(value)))


def _cameras(facts: pd.DataFrame) -> pd.Series[Any]:
    """Make and model, as far as they are known; the make once, where the model says it, too."""
    named = [
        [str(part) for part in parts if not pd.isna(part)]
        for parts in zip(*(facts[name] for name in ("exif_make", "exif_model") if name in facts), strict=True)
    ]
    words = [
        None if not parts else parts[-1] if parts[-1].startswith(parts[0]) else " ".join(parts)
        for parts in named
    ]
    return pd.Series(words or [None] * len(facts), dtype=object)


def _numbers(column: pd.Series[Any]) -> Float64Array:
    return np.asarray(column.astype("Float64").to_numpy(np.float64, na_value=np.nan), np.float64)


def _all_known(*columns: Float64Array) -> bool:
    return all(bool(np.isfinite(column).all()) for column in columns)


def _either(
    name: str, words: tuple[str, str], val_N: BoolArray, test_N: BoolArray, is_known: bool
) -> Condition:
    """Where some images say nothing, what does not hold of an image need not be the opposite."""
    denied = words[1] if is_known else f"not {words[0]}"
    return Condition((name,), words[:1], denied, val_N, test_N, has_opposite=is_known)


def _plain(name: str, words: tuple[str, str], val_N: BoolArray, test_N: BoolArray) -> Condition:
    return Condition((name,), words[:1], words[1], val_N, test_N)


def _equal(column: str, val_N: Strings, test_N: Strings, words: Words) -> Iterator[Condition]:
    known = sorted({str(word) for word in val_N.tolist() if word is not None})
    if len(known) == 2 and np.isin(np.concatenate([val_N, test_N]).astype(str), known).all():
        either = words(known[0])[0], words(known[1])[0]
        yield _either(column, either, val_N == known[0], test_N == known[0], is_known=True)
        return
    for value in known:
        yield _plain(column, words(value), val_N == value, test_N == value)


def _numbered(name: str, val_N: Float64Array, test_N: Float64Array) -> Iterator[Condition]:
    """Each value of few; below thresholds, and from them on."""
    known_N = val_N[np.isfinite(val_N)]
    values = np.unique(known_N)
    if name in EQUAL and len(values) <= FEW_VALUES:
        for value in values.tolist():
            yes, no = (text.format(as_written(name, value)) for text in EQUAL[name])
            yield _plain(name, (yes, no), val_N == value, test_N == value)
    if name not in THRESHOLDS or len(values) < 2:
        return
    wanted = np.quantile(known_N, [*SHARES, *(1 - share for share in SHARES)], method="higher")
    is_known = _all_known(val_N, test_N)
    for threshold in dict.fromkeys(plain_threshold(name, value) for value in wanted.tolist()):
        below, above = (text.format(as_written(name, threshold)) for text in THRESHOLDS[name])
        yield _either(name, (below, above), val_N < threshold, test_N < threshold, is_known)
        if not is_known:
            yield _either(name, (above, below), val_N >= threshold, test_N >= threshold, is_known)


def _ranked(
    name: str, val_N: Float64Array | Float32Array, test_N: Float64Array | Float32Array, words: tuple[str, str]
) -> Iterator[Condition]:
    """The lowest and the highest tenth, fifth, third and half of validation images."""
    known_N = val_N[np.isfinite(val_N)]
    if not len(known_N):
        return
    is_known = _all_known(np.asarray(val_N, np.float64), np.asarray(test_N, np.float64))
    for share, word in SHARES.items():
        low, high = np.quantile(known_N, [share, 1 - share])
        lowest, highest = (text.format(word) for text in words)
        most = (1 + ALIKE) * share * len(known_N)
        if share == 0.5 and is_known and (val_N <= low).sum() <= most:  # two halves are each other's opposite
            yield _either(name, (lowest, highest), val_N <= low, test_N <= low, is_known)
            continue
        if (val_N <= low).sum() <= most:
            yield _plain(name, (lowest, f"not {lowest}"), val_N <= low, test_N <= low)
        if (val_N >= high).sum() <= most:
            yield _plain(name, (highest, f"not {highest}"), val_N >= high, test_N >= high)


def _tokens(val: pd.Series[Any], test: pd.Series[Any]) -> Iterator[Condition]:
    own, other = (
        [frozenset(cell) if cell is not None else frozenset() for cell in column] for column in (val, test)
    )
    counts = Counter(token for tokens in own for token in tokens)
    for token, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_TOKENS]:
        yes, no = (text.format(quoted(token)) for text in TOKEN)
        rows = (np.array([token in tokens for tokens in sets], bool) for sets in (own, other))
        yield _plain("name_tokens", (yes, no), *rows)
