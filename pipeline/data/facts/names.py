"""What names of files and folders say besides class, split and kind of file: words, and counters."""

from __future__ import annotations

import itertools
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pipeline.data.files.listing import IMAGE_SUFFIXES
from pipeline.data.names.split_words import EVAL, plain_split

MAX_TOKENS = 32
_MAX_CHARACTERS = 4096  # of a name that are looked at; no file system has longer ones
_MAX_TOKEN = 64  # characters
_RUNS = re.compile(r"[^\W\d_]+|\d+")
_MIN_NAMED, _MOST_NAMING = 2, 2  # letters of a word, and digits behind it, that are a name together
_MIN_STEM = 3  # letters of a word whose plural is known by its s


@dataclass(frozen=True, slots=True)
class NameFacts:
    """None where an image is no file."""

    tokens: list[str] | None = None  # of the file's name, then of the folders', the nearest first; 32 at most
    number: float | None = None  # the first in the file's name


@dataclass(frozen=True)
class ClassWords:
    """What names of files may say of classes without saying anything new."""

    words: frozenset[str]  # without the s of a plural
    numbers: frozenset[str]  # runs of digits, as written


def find_class_words(names: Iterable[str]) -> ClassWords:
    """Words and numbers of all classes, in whatever of their names.

    Those of all are left out of every name: to leave a class's own out of its files alone would mark them.
    """
    words, numbers = set[str](), set[str]()
    for name in names:
        runs = _split_runs(name)
        letters = [run for run in runs if not run.isdecimal()]
        numbers |= {run for run in runs if run.isdecimal()}
        words |= {_stem(run) for run in [*letters, "".join(letters)] if run}  # "black cat" as "blackcat", too
    return ClassWords(frozenset(words), frozenset(numbers))


def _stem(word: str) -> str:
    """The same for a word and its plural in s."""
    return word[:-1] if len(word) > _MIN_STEM and word.endswith("s") else word


def _split_runs(name: str) -> list[str]:
    """Runs of letters, in lower case, and of digits, in order; camelCase is several."""
    name = name[:_MAX_CHARACTERS]
    found: list[str] = _RUNS.findall(name if name.isascii() else unicodedata.normalize("NFC", name))
    if name.islower():
        return found
    return [part.lower() for run in found for part in _split_camel(run)]


def _split_camel(run: str) -> list[str]:
    """ "myHTMLFile" as "my", "HTML", "File"."""
    if run.islower() or run.isupper() or run[1:].islower() or run.isdecimal():
        return [run]
    starts = [0, *(i for i in range(1, len(run)) if _begins(run, i)), len(run)]
    return [run[start:stop] for start, stop in itertools.pairwise(starts)]


def _begins(run: str, i: int) -> bool:
    """Whether a word begins with the letter at `i`."""
    return run[i].isupper() and (not run[i - 1].isupper() or run[i + 1 : i + 2].islower())


@dataclass
class NameReader:
    """Reads the names of a dataset's files; folders count from the deepest one that holds all of them on."""

    known: ClassWords
    root: str = os.curdir
    _folders: dict[str, list[str]] = field(default_factory=dict)
    _tokens: dict[str, str | None] = field(default_factory=dict)  # of each word: once in memory, or left out

    def read(self, path: Path) -> NameFacts:
        """Tokens and number of a file's name."""
        folder, _, name = os.fspath(path).rpartition(os.sep)
        stem, _, suffix = name.rpartition(".")
        runs = _split_runs(stem if f".{suffix.lower()}" in IMAGE_SUFFIXES else name)
        if folder not in self._folders:
            self._folders[folder] = self._folder_tokens(folder)
        tokens = (self._as_tokens(runs) + self._folders[folder])[:MAX_TOKENS]
        return NameFacts(tokens, self._number(runs))

    def tokenize(self, part: str) -> list[str]:
        """Tokens of one part of a path, without words of classes and splits; digits as "#" and how many.

        Example:
            >>> NameReader(find_class_words(["cats", "dogs"])).tokenize("IMG_2034_catLeft")
            ['img', '#4', 'left']

        A short number behind a word names one of several, a site or a camera:
            >>> NameReader(find_class_words(["cats", "dogs"])).tokenize("site2_0815")
            ['site', '#1', 'site2', '#4']
        """
        return self._as_tokens(_split_runs(part))

    def _as_tokens(self, runs: Iterable[str]) -> list[str]:
        return list(itertools.islice(self._each_token(runs), MAX_TOKENS))

    def _each_token(self, runs: Iterable[str]) -> Iterator[str]:
        word: str | None = None  # before the run
        for run in runs:
            token = self._token(run)
            if token is not None:
                yield token
                if word is not None and run.isdecimal() and len(run) <= _MOST_NAMING:
                    yield f"{word[: _MAX_TOKEN - len(run)]}{run}"
            word = token if token is not None and not run.isdecimal() and len(run) >= _MIN_NAMED else None

    def _token(self, run: str) -> str | None:
        if run.isdecimal():
            return None if run in self.known.numbers else _length_token(len(run))
        if run not in self._tokens:
            is_known = _stem(run) in self.known.words or run in EVAL or plain_split(run) is not None
            self._tokens[run] = None if is_known else run[:_MAX_TOKEN]
        return self._tokens[run]

    def _number(self, runs: Iterable[str]) -> float | None:
        """The first number among runs that is no class's; None without one, or of hundreds of digits."""
        found = (float(run) for run in runs if run.isdecimal() and run not in self.known.numbers)
        number = next(found, math.inf)
        return number if math.isfinite(number) else None

    def _folder_tokens(self, folder: str) -> list[str]:
        inside = os.path.relpath(folder or os.curdir, self.root)
        parts = [part for part in inside.split(os.sep) if part not in (os.curdir, os.pardir)]
        tokens = (token for part in reversed(parts) for token in self.tokenize(part))
        return list(itertools.islice(tokens, MAX_TOKENS))


@cache
def _length_token(n_digits: int) -> str:
    return f"#{n_digits}"


def make_reader(
    files: Iterable[Path], classes: Iterable[str], others: Mapping[str, Iterable[str]]
) -> NameReader:
    """A reader for a dataset's files.

    Args:
        classes: their names as shown.
        others: what files and folders call a class, where that is another name.
    """
    folders = {os.fspath(file).rpartition(os.sep)[0] for file in files}
    root = os.path.commonpath([os.path.abspath(folder) for folder in folders]) if folders else os.curdir
    names = [*classes, *(name for each in others.values() for name in each)]
    return NameReader(find_class_words(names), root)
