"""One name for what is written in several ways: case, spaces, Unicode forms, characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

from pipeline.core.words import list_some
from pipeline.data.names.naming import natural_key

MISSING = "(missing)"  # what an empty cell of an attribute is called
# zero-width spaces, soft hyphens, byte order and direction marks; not the joiners that scripts need
_INVISIBLE = re.compile("[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_WHOLE = re.compile(r"[-+]?\d+(\.0*)?")


def clean(name: str) -> str:
    """Composed letters, single spaces, none around, nothing invisible."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", _INVISIBLE.sub("", name))).strip()


def spelling_key(name: str) -> str:
    """Equal for names that differ in case, spaces, Unicode form or by what is invisible alone."""
    return clean(unicodedata.normalize("NFKC", name)).lower()


def join_spellings(names: Sequence[str], what: str, *, is_exact: bool) -> tuple[list[str], list[str]]:
    """Each name in its most frequent spelling, and a note on what was joined or cleaned.

    Where all names are whole numbers, "1.0" is "1".

    Args:
        names: one per image.
        what: whose names they are, in words.
        is_exact: leave them as they are.
    """
    if is_exact:
        return list(names), []
    counts = Counter(names)
    is_whole = all(_WHOLE.fullmatch(name.strip()) for name in counts)
    written: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        written[_whole(name) if is_whole else spelling_key(name)].append(name)
    shown: dict[str, str] = {}
    changed = []
    for ways in written.values():
        best = min(
            ways,
            key=lambda name: (_is_compatibility(name), -counts[name], name != clean(name), natural_key(name)),
        )
        target = _whole(best) if is_whole else clean(best)
        shown |= dict.fromkeys(ways, target)
        if ways != [target]:
            changed.append(f"{', '.join(map(visible, sorted(ways)))} -> {target}")
    notes = [
        f"{what}: what differs in case, spaces, Unicode form, invisible characters or a decimal .0 alone is "
        f"one: {list_some(changed)} (`--keep-names`, in params.yaml `source.names: exact`, keeps all apart)"
    ]
    return [shown[name] for name in names], notes if changed else []


def _is_compatibility(name: str) -> bool:
    """Whether letters have a plainer form, as in ligatures."""
    return spelling_key(name) != clean(name).lower()


def _whole(name: str) -> str:
    return name.strip().partition(".")[0]


def visible(name: str) -> str:
    """Two Unicode forms of one letter look the same: escaped, they do not."""
    return repr(name) if unicodedata.normalize("NFKC", name) == name else ascii(name)


def find_spelling(name: str, found: Sequence[str]) -> str | None:
    """Which of `found` a name is, in whatever spelling."""
    if name in found:
        return name
    whole = _whole(name) if _WHOLE.fullmatch(name.strip()) else None
    return next((each for each in found if spelling_key(each) == spelling_key(name) or each == whole), None)
