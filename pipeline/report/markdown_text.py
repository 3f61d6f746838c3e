"""Text that people wrote, inside GitHub-flavored Markdown: shown as it is, never as markup.

Names of classes, groups and files may hold anything: HTML, pipes, backticks, links, line breaks,
mentions of people or marks that turn the writing direction.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from pipeline.report.wording import isolate

_OVERRIDES = re.compile("[\u202a-\u202e]")
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
# GitHub makes links, mentions, issue numbers and pictures of these; an empty comment takes that away
_TRIGGER = re.compile(r"@|#|:(?=//|[\w+-]+:)|(?<=[wW]{3})(?=\.)")
_LIST_MARK = re.compile(r"^([-+=]|\d+[.)](?=\s|$))")


def plain(text: str) -> str:
    """One line without control characters and without marks that turn the writing direction."""
    line = " ".join(_OVERRIDES.sub("", text).split())
    return "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs"))


def escape(text: str) -> str:
    """A sentence or name as Markdown that shows exactly this text."""
    line = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _LIST_MARK.sub(lambda m: m[1][:-1] + "\\" + m[1][-1], _MARKUP.sub(r"\\\1", line))
    return _TRIGGER.sub(lambda m: f"{m[0]}<!-- -->", line)


def name(text: str) -> str:
    """A name on its own, which must not reorder what stands beside it."""
    return escape(isolate(plain(text)))


def code(text: str) -> str:
    """A command or key as inline code, whatever backticks it holds."""
    line = plain(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences, escaped."""
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)
