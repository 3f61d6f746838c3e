"""Proportions of the file, before it was made square."""

from __future__ import annotations

import numpy as np

from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.recipes import exchange_size


def read(seen: Seen) -> Values | None:
    """Width over height, on a logarithmic scale."""
    if seen.facts is None or not {"width", "height"} <= set(seen.facts):
        return None
    sides = [
        seen.facts[name].astype(np.float64).to_numpy(np.float64, na_value=np.nan)
        for name in ("width", "height")
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio_N = np.log(sides[0] / sides[1])
    ratio_N[~np.isfinite(ratio_N)] = np.nan
    return None if np.isnan(ratio_N).all() else Values(ratio_N[:, None].astype(np.float32), is_stepped=True)


CUE = Cue(
    name="aspect",
    title="proportions of the image",
    sees="width over height of the image file",
    kind="file",
    breadth=0,
    read=read,
    may_be_content=False,
    # what proportions leave in a square is how far each direction was stretched: its detail
    exchange=exchange_size,
)
