"""When the picture was taken, by EXIF."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import stepped


def read(seen: Seen) -> Values | None:
    """When the picture was taken, by EXIF."""
    return stepped(seen, "exif_date")


CUE = Cue(
    name="capture_date",
    title="date of the picture",
    sees="the date in EXIF",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
)
