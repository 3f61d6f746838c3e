"""What a source calls its splits: what is plain is read, what is not stops with the mapping to write.

Names are of folders or of a table column's cells. Case, spaces around them and "1.0" for "1" say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.core.words import list_some
from pipeline.data.names.naming import natural_key
from pipeline.data.names.split_words import EVAL, Place, clean, json_text, plain_split

_NUMBERS: dict[str, Place] = {"0": "train", "1": "val", "2": "test"}  # as in WILDS and CelebA


def read_plainly(counts: Mapping[str, int], *, has_numbers: bool) -> tuple[dict[str, Place], str]:
    """The place of each name, and why it is not plain ("" where all is).

    Args:
        counts: images per name.
        has_numbers: 0, 1 and 2 may mean train, val and test, which those of a fold do not.
    """
    found = {name: plain_split(name) for name in counts}
    places: dict[str, Place] = {name: split for name, split in found.items() if split is not None}
    evals = [name for name in counts if clean(name) in EVAL]
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
        return places, f"not understood: {list_some([json_text(n) for n in unclear])}"
    return places, "" if "train" in places.values() else "none of them is train"


def read_column(column: str, counts: Mapping[str, int]) -> tuple[dict[str, Place], str]:
    """`read_plainly` for a column: 0, 1 and 2 mean something in `split`, nothing in `fold` or `set`."""
    words = re.findall(r"[a-z]+", column.lower())
    return read_plainly(counts, has_numbers=not words or words[-1] in ("split", "splits", "partition"))


def say(what: str, places: Mapping[str, Place]) -> list[str]:
    """A note on every name that is not the split's own, and on what is left out."""
    order = sorted(places, key=natural_key)
    read = [f"{json_text(name)} -> {places[name]}" for name in order if name != places[name]]
    return [f"{what} read as splits: {list_some(read, 12)}"] if read else []
