"""How many bytes the file has, and how many for each pixel."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_compression
from pipeline.cues.facts.reading import stepped


def read(seen: Seen) -> Values | None:
    """How many bytes the file has, and how many for each pixel."""
    return stepped(seen, "bytes", "bytes_per_pixel")


CUE = Cue(
    name="file_size",
    title="file size",
    sees="bytes of the file, and bytes for each pixel",
    kind="file",
    breadth=1,
    read=read,
    may_be_content=False,
    exchange=exchange_compression,
    is_visible=True,
)
