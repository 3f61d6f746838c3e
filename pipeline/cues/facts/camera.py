"""Make and model that EXIF names."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.facts.reading import worded


def read(seen: Seen) -> Values | None:
    """Make and model that EXIF names."""
    return worded(seen, "exif_make", "exif_model")


CUE = Cue(
    name="camera",
    title="camera",
    sees="make and model of the camera in EXIF",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # what a camera leaves in the pixels is color, noise and sharpness, which are cues of their own
    exchange=None,
    is_visible=True,
)
