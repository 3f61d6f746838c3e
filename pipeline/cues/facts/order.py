"""The place in the table or list."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import stepped


def read(seen: Seen) -> Values | None:
    """The place in the table or list."""
    return stepped(seen, "order")


CUE = Cue(
    name="order",
    title="order of the table",
    sees="the row of the image in its table",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
)
