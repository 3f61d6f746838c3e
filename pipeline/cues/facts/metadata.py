"""Which kinds of metadata there are, and how many frames; never where a picture was taken."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import worded


def read(seen: Seen) -> Values | None:
    """Which kinds of metadata there are, and how many frames; never where a picture was taken."""
    return worded(seen, "has_exif", "has_gps", "has_icc", "n_frames")


CUE = Cue(
    name="metadata",
    title="metadata",
    sees="whether there is EXIF, a position, a color profile, more than one frame",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # no trace of it is in the pixels
    exchange=None,
    is_visible=False,
)
