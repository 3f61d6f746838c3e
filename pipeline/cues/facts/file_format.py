"""Format, color mode, depth and transparency."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_compression
from pipeline.cues.facts.reading import worded


def read(seen: Seen) -> Values | None:
    """Format, color mode, depth and transparency."""
    return worded(seen, "format", "mode", "bit_depth", "has_alpha")


CUE = Cue(
    name="file_format",
    title="file format",
    sees="format, color mode, bits of a color and transparency",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    exchange=exchange_compression,
    is_visible=True,
)
