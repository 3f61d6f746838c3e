"""How the camera was held, by EXIF."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import worded


def read(seen: Seen) -> Values | None:
    """How the camera was held, by EXIF."""
    return worded(seen, "exif_orientation")


CUE = Cue(
    name="exif_turn",
    title="orientation in EXIF",
    sees="how the camera was held, by EXIF",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
)
