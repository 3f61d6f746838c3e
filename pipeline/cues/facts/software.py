"""The program that EXIF names."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import worded


def read(seen: Seen) -> Values | None:
    """The program that EXIF names."""
    return worded(seen, "exif_software")


CUE = Cue(
    name="software",
    title="software",
    sees="the program that EXIF names",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # the name of a program changes no pixel
    exchange=None,
    is_visible=True,
)
