"""The day on which the file was changed: copying writes class after class within minutes."""

from __future__ import annotations

import numpy as np

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import stepped

_DAY = 86_400  # seconds


def read(seen: Seen) -> Values | None:
    """Whole days."""
    found = stepped(seen, "modified")
    return None if found is None else Values(np.floor(found.numbers / _DAY), is_stepped=True)


CUE = Cue(
    name="modified",
    title="day of the last change",
    sees="the day on which the file was changed",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
)
