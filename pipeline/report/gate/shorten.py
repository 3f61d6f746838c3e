"""Texts made short enough for a pull request without breaking off within a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARKS = re.compile(r"“[^”]*”|[()]|[.!?;:](?=\s|$)")  # of a quoted name nothing is a mark
_ASIDE = re.compile(r"\s\((?:[^()\s]+\s){3,}[^()\s]+\)$")  # "Removal (repair)" is none


def count_words(text: str) -> int:
    """Words; signs that stand alone are none."""
    return sum(bool(re.search(r"\w", word)) for word in text.split())


def whole_part(text: str, n_words: int) -> str:
    """The longest beginning of a text with at most so many words that ends where a clause ends.

    Empty where none is short enough.

    >>> whole_part("It fails: the lower end misses it (more test images or seeds narrow it). It is big.", 7)
    'It fails: the lower end misses it'
    """
    short = [part for part in _beginnings(text) if count_words(part) <= n_words]
    return max(short, key=len, default="")


def _beginnings(text: str) -> Iterator[str]:
    depth = 0
    ends = [len(text)]
    for mark in _MARKS.finditer(text):
        depth = max(0, depth + {"(": 1, ")": -1}.get(mark[0], 0))
        if not depth and mark[0] in ".!?;:":
            ends.append(mark.end() if mark[0] in ".!?" else mark.start())
    for end in ends:
        part = text[:end].strip()
        yield part
        yield _ASIDE.sub("", part.rstrip("."))
