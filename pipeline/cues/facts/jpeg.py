"""How strongly the file was compressed as JPEG, and how."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_compression
from pipeline.cues.facts.reading import stepped, worded


def read(seen: Seen) -> Values | None:
    """Quality that the tables stand for, which tables, subsampling of color, progressive or not."""
    quality = stepped(seen, "jpeg_quality")
    if quality is None:
        return None
    kinds = worded(seen, "jpeg_tables", "subsampling", "progressive")
    return Values(quality.numbers, kinds.words if kinds else {}, is_stepped=True)


CUE = Cue(
    name="jpeg",
    title="JPEG compression",
    sees="quality, tables and subsampling of the JPEG file",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    exchange=exchange_compression,
)
