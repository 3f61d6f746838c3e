"""Names that people read: kept unique, sorted the way people count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable


def make_unique(names: Iterable[str]) -> list[str]:
    """The names in order; a repeated one gets " (2)", " (3)" ... appended."""
    names = list(names)
    taken, seen, unique = set(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        shown, n = name, seen[name]
        while n > 1 and shown in taken:
            shown = f"{name} ({n})"
            n += 1
        taken.add(shown)
        unique.append(shown)
    return unique


def natural_key(name: str) -> list[tuple[int, float, str]]:
    """Sort key that puts "2" before "10", "-1" before "0" and "class 9" before "class 10"."""
    if re.fullmatch(r"[-+]?\d+(\.\d*)?", name):
        return [(0, float(name), "")]
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
