"""Foreground, where masks tell it: its colors, nothing of the rest."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.cells import exchange_object_color
from pipeline.pixels.color_features import color_features


def read(seen: Seen) -> Values | None:
    """Colors of the foreground; None without masks."""
    if seen.masks is None:
        return None
    features_NF, names = color_features(seen.images, seen.masks)
    return Values(features_NF[:, [i for i, name in enumerate(names) if name.region == "foreground"]])


CUE = Cue(
    name="foreground",
    title="the object's color",
    sees="colors of the object, by its mask",
    kind="pixels",
    breadth=6,
    read=read,
    may_be_content=True,
    exchange=exchange_object_color,
)
