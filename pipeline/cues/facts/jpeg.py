"""How strongly the file was compressed as JPEG, and how."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Int64Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_compression
from pipeline.cues.facts.reading import stepped, worded


def read(seen: Seen) -> Values | None:
    """Quality that the tables stand for, which tables, subsampling of color, progressive or not.

    What is no JPEG takes the values of one drawn at random: whether it is one, the format tells.
    """
    quality = stepped(seen, "jpeg_quality")
    if quality is None:
        return None
    kinds = worded(seen, "jpeg_tables", "subsampling", "progressive")
    rows_N = _drawn(np.isfinite(quality.numbers[:, 0]))
    words = {name: column[rows_N] for name, column in kinds.words.items()} if kinds else {}
    return Values(quality.numbers[rows_N], words, is_stepped=True)


def _drawn(known_N: BoolArray) -> Int64Array:
    """Each image's own row where it is known, else that of a random one that is."""
    rows_N = np.arange(len(known_N))
    pool = np.flatnonzero(known_N)
    rows_N[~known_N] = np.random.default_rng(0).choice(pool, int((~known_N).sum()))
    return rows_N


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
