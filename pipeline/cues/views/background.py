"""Background, where masks tell it: its colors, nothing of the rest."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.backgrounds import exchange_background
from pipeline.pixels.color_features import color_features


def read(seen: Seen) -> Values | None:
    """Colors of the background; None without masks."""
    if seen.masks is None:
        return None
    features_NF, names = color_features(seen.images, seen.masks)
    return Values(features_NF[:, [i for i, name in enumerate(names) if name.region == "background"]])


CUE = Cue(
    name="background",
    title="the background",
    sees="colors around the object, by its mask",
    kind="pixels",
    breadth=6,
    read=read,
    may_be_content=False,
    is_around=True,
    exchange=exchange_background,
)
