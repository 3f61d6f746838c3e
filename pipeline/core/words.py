"""How numbers and names are written: percent, points, p-values, names of users, durations."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

from tabulate import tabulate

DASH = "–"
MINUS = "\u2212"


_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"  # keep right-to-left names from reordering a sentence


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as percent: 0.6231 -> "62.3%"; missing or not finite -> a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{_fixed(100 * value, digits)}%"


def points(value: float | None, digits: int = 1) -> str:
    """A signed difference of fractions in percentage points: -0.0412 -> "−4.1"."""
    if value is None or not math.isfinite(value):
        return DASH
    text = _fixed(100 * value, digits)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def number(value: float | None, digits: int = 2) -> str:
    """A plain number with a true minus sign; missing or not finite -> a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    return _fixed(value, digits)


def score(value: float | None) -> str:
    """An attribution score: three significant digits with its sign, whatever its scale."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:+.3g}" if value else "0"
    return text.replace("-", MINUS)


def significant(value: float | None) -> str:
    """A number of unknown scale: three significant digits."""
    return score(value).removeprefix("+")


def per_thousand(value: float | None) -> str:
    """A score per training image as the effect of 1,000 such images: -0.0000598 -> "−0.060"."""
    if value is None or not math.isfinite(value):
        return DASH
    effect = 1000 * value
    size = abs(effect)
    if size >= 100 or not effect:
        return signed(effect, 0)
    return signed(effect, 1 if size >= 10 else 2 if size >= 0.1 else 1 - math.floor(math.log10(size)))


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign: 0.962 -> "+0.96"; zero has none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:+,.{digits}f}".replace("-", MINUS)
    return text if text.strip("+\u22120.,") else text[1:]


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return DASH if value is None else f"{int(value):,}"


def spelled(n: int) -> str:
    """A number of things in running text: in words up to ten.

    >>> spelled(3), spelled(12)
    ('three', '12')
    """
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[n] if n < len(words) else count(n)


def has(n: int) -> str:
    """The verb after "1 of 4 groups"."""
    return "has" if n == 1 else "have"


def p_text(p: float | None) -> str:
    """A p-value: "p = 0.012", "p < 0.001"; a permutation p of 0.001 prints as it is."""
    if p is None or not math.isfinite(p):
        return DASH
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def p_clause(p: float | None) -> str:
    """ ", p = 0.012" within a sentence; empty where there is no p-value."""
    return "" if p is None or not math.isfinite(p) else f", {p_text(p)}"


def quoted(name: str, limit: int = 60) -> str:
    """A user's name inside a sentence: in quotes, shortened, isolated where it runs right to left."""
    return f"“{isolated(name, limit)}”"


def isolated(name: str, limit: int = 60) -> str:
    """A user's name, shortened; one that runs right to left cannot reorder what stands beside it."""
    return isolate(shorten(name, limit))


def isolate(name: str) -> str:
    """`name` between marks that keep it from reordering its surroundings, where it runs right to left."""
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN", "RLE", "RLO", "RLI") for char in name):
        return f"{_ISOLATE}{name}{_END_ISOLATE}"
    return name


def shorten(text: str, limit: int) -> str:
    """`text` with its middle replaced by an ellipsis beyond `limit` characters, on one line."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    keep = (limit - 1) // 2
    return f"{text[: limit - 1 - keep]}…{text[-keep:]}"


def printable(name: str, limit: int = 40) -> str:
    """A name as text: without escape sequences and direction marks that would move a terminal's cursor."""
    visible = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in name
    )
    return shorten(visible, limit)


def join_names(names: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    listed = list(names)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def duration(seconds: float) -> str:
    """ "4.2 s", "3 min 20 s", "2 h 05 min"."""
    if not math.isfinite(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _fixed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if not text.strip("-0."):  # -0.0 is zero
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def align(rows: Sequence[Sequence[str]], *, n_left: int = 1) -> str:
    """Cells in columns for a terminal, the first `n_left` of them to the left, the others to the right.

    Wide characters take two columns and combining ones none, as terminals draw them.
    """
    sides = ["left" if i < n_left else "right" for i in range(len(rows[0]))]
    text = tabulate(rows, tablefmt="plain", colalign=sides, disable_numparse=True, preserve_whitespace=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


def first_sentence(text: str) -> str:
    """The first sentence of a text; a full stop inside a quoted name ends none."""
    found = re.match(r"(?:“[^”]*”|[^“])*?[.!?](?=\s|$)", text, flags=re.DOTALL)
    return found[0] if found else text


def list_some(names: Sequence[object], limit: int = 5) -> str:
    """`"a, b, c and 12 more"`."""
    shown = ", ".join(str(name) for name in names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown
