"""What `groups.from` asks for: keyword, annotated attribute or cue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.cues.registry import MODULES
from pipeline.settings.parsing import did_you_mean

KEYWORDS = ("auto", "never", "inferred")
COLUMN = "attr_"  # what cues that are annotated columns are called by
Kind = Literal["attribute", "cue", "auto", "never", "inferred"]


class Source(NamedTuple):
    """What forms the groups; of `auto` without an attribute it is found later."""

    kind: Kind
    name: str = ""  # of the attribute or cue
    note: str = ""  # for the report


def find_source(asked: str, attributes: Sequence[str]) -> Source:
    """Keywords come first, then annotated attributes, then cues.

    Args:
        attributes: annotated ones.

    Raises:
        InputError: the name is of nothing.
    """
    if asked == "auto":
        return Source("attribute", attributes[0]) if attributes else Source("auto")
    if asked in ("never", "inferred"):
        return Source("never") if asked == "never" else Source("inferred")
    if asked in attributes:
        note = f"{asked!r} is an annotated attribute and a cue: the groups are of the attribute"
        return Source("attribute", asked, note if asked in MODULES else "")
    column = asked.removeprefix(COLUMN)  # as the table of cues names it
    if column in attributes:
        return Source("attribute", column)
    if asked in MODULES:
        return Source("cue", asked)
    known = [*KEYWORDS, *attributes, *MODULES]
    annotated = (
        f"the annotated attributes {list_some(attributes)}" if attributes else "no annotated attribute"
    )
    raise InputError(
        f"groups.from = {asked!r} is the name of nothing here{did_you_mean(asked, known) or '.'} There are "
        f"{list_some(KEYWORDS, 9)}, {annotated}, and the cues {list_some(list(MODULES), 99)}. Write "
        "`groups: { from: auto }`."
    )
