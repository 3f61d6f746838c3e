"""Color: what colors are there, not where."""

from __future__ import annotations

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.color import exchange_color
from pipeline.pixels.color_features import color_features


def read(seen: Seen) -> Values:
    """Colors of the whole image and the tint of its border: blind to place, sharpness and ink."""
    features_NF, names = color_features(seen.images)
    kept = [i for i, n in enumerate(names) if n.region == "whole" or n.feature in ("a_mean", "b_mean")]
    return Values(features_NF[:, kept])


CUE = Cue(
    name="color",
    title="color",
    sees="the average and the most colorful colors of the image, not where they are",
    kind="pixels",
    breadth=2,
    read=read,
    may_be_content=True,
    exchange=exchange_color,
)
