"""The number in the file name."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import stepped


def read(seen: Seen) -> Values | None:
    """The number in the file name."""
    return stepped(seen, "name_number")


CUE = Cue(
    name="name_number",
    title="number in the file name",
    sees="the first number in the file name",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
)
