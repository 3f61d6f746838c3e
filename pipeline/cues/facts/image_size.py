"""Width and height of the file, before it was resized."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_size
from pipeline.cues.facts.reading import stepped


def read(seen: Seen) -> Values | None:
    """Width and height of the file, before it was resized."""
    return stepped(seen, "width", "height")


CUE = Cue(
    name="image_size",
    title="image size",
    sees="width and height of the image file",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    exchange=exchange_size,
    is_visible=True,
)
