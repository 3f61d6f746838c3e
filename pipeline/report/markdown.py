"""GitHub-flavoured Markdown in which names from the data stay text.

Punctuation that could mean something is written as an entity, which no parser takes for markup and no
table for a border. What GitHub looks for after rendering (mentions, references to issues, emoji codes)
is split by an element, so that a class called "@somebody" calls nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from pipeline.core.words import isolate, isolated

_MARKUP = re.compile(r"[\\`*~|<>&\[\]$\"]|(?<![^\W_])_|_(?![^\W_])")  # "_" within a word is none
_LIST_MARK = re.compile(r"^([-+=]|\d+[.)](?=\s|$))")  # where a line begins
_AFTERWARDS = re.compile(r"[@#]|:(?=\S)|(?<=\bGH)-|(?<=\bwww)\.", re.IGNORECASE)
_KEPT = "\u2068\u2069\u200c\u200d"  # isolates that this project sets, joiners of scripts and emoji


def plain(text: str) -> str:
    """One line without control characters and without marks that turn the writing direction."""
    return " ".join("".join(_visible(char) for char in text).split())


def escape(text: str) -> str:
    """A sentence as inert text on one line."""
    line = re.sub(f"{_MARKUP.pattern}|{_AFTERWARDS.pattern}", _replace, plain(text), flags=re.I)
    return _LIST_MARK.sub(lambda m: f"{m[0][:-1]}&#{ord(m[0][-1])};", line)


def escape_name(name: str, limit: int = 60) -> str:
    """A name as inert text: shortened, and unable to reorder what stands beside it."""
    return escape(isolated("".join(" " if char in _KEPT[:2] else _visible(char) for char in name), limit))


def whole_name(name: str) -> str:
    """A name as inert text, as long as it is."""
    return escape(isolate(plain(name)))


def code(text: str) -> str:
    """A command or key as inline code, whatever backticks it holds."""
    line = plain(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences, escaped."""
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns in `right` hold numbers."""
    border = ["---:" if column in right else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, border, *rows))


def _visible(char: str) -> str:
    """Without control characters and marks that change the direction of what follows."""
    hidden = unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs")
    return " " if hidden and char not in _KEPT else char


def _replace(found: re.Match[str]) -> str:
    char = found.group()
    return f"&#{ord(char)};" if _MARKUP.fullmatch(char) else f"<span>{char}</span>"
