"""An attribute read off the border ring where none is annotated: light or dark, or a hue.

Shape legend: N images.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array, UInt8Array
from pipeline.pixels.color_features import ring_hue, ring_lightness
from pipeline.records.data import AttributeInfo
from pipeline.settings.groups import GroupsSettings

RING_FEATURES: dict[str, Callable[[UInt8Array], Float64Array]] = {
    "ring_lightness": ring_lightness,
    "ring_hue": ring_hue,
}
_LIGHTNESS_NAMES = {
    1: ["any"],
    2: ["dark", "light"],
    3: ["dark", "medium", "light"],
    4: ["darkest", "dark", "light", "lightest"],
    5: ["darkest", "dark", "medium", "light", "lightest"],
}
_DECIMALS = 4  # ring features closer than this are equal
_HUE_BINS = 36  # of 10 degrees, for finding where to cut the circle open
DERIVED_NOTE = (
    "groups are derived, not annotated: {description}. They were made without looking at labels and say "
    "what the border looks like, not what it means"
)


class Formed(NamedTuple):
    """The attribute that forms the groups."""

    info: AttributeInfo
    values_N: Int64Array  # index of each image's value
    notes: list[str]  # for the report


def ring_feature_name(settings: GroupsSettings, *, is_annotated: bool) -> str | None:
    """Which ring feature stands in for an attribute; None: none is needed or wanted."""
    if is_annotated or settings.derive_attribute == "never":
        return None
    return "ring_lightness" if settings.derive_attribute == "auto" else settings.derive_attribute


def no_attribute(n: int) -> Formed:
    """The single value "all" for every row: groups are then the classes."""
    info = AttributeInfo(name="none", values=["all"], origin="none", description="no attribute")
    return Formed(info, np.zeros(n, np.int64), ["no attribute: the groups are the classes"])


def derive_attribute(name: str, ring: Float64Array, is_train: BoolArray, levels: int) -> Formed:
    """Cut a ring feature into levels at the quantiles of the training images.

    Ties can leave fewer levels than asked (white borders): empty ones are dropped, with a note.
    """
    if name == "ring_hue":
        index, values, where = _hue_levels(ring, is_train, levels)
        description = f"chroma-weighted CIELAB hue of the border ring, cut at {where}"
    else:
        thresholds = _thresholds(ring[is_train], levels)
        index = np.searchsorted(thresholds, ring, side="right").astype(np.int64)
        values = _LIGHTNESS_NAMES[len(thresholds) + 1]
        where = " and ".join(f"{t:.1f}" for t in thresholds) or "nothing (all borders are alike)"
        description = f"mean CIELAB lightness (0 to 100) of the border ring, cut at {where}"
    description += " (quantiles of the training images)"
    info = AttributeInfo(name=name, values=values, origin="derived", description=description)
    notes = [DERIVED_NOTE.format(description=description)]
    n_levels = len([value for value in values if value != "gray"])
    if n_levels < levels:
        notes.append(f"{name} has {n_levels} level(s), not {levels}: too many images have the same border")
    return Formed(info, index, notes)


def _thresholds(train: Float64Array, levels: int) -> Float64Array:
    """At most `levels` - 1 cuts, each between two values that occur, as near the quantiles as ties allow.

    A plain quantile may fall on a value that many images share (white borders) and leave a level
    empty; a cut between values never does.
    """
    values, counts = np.unique(np.round(train, _DECIMALS), return_counts=True)
    below = np.cumsum(counts)[:-1]  # training images below each possible cut
    if len(below) == 0:
        return np.empty(0)
    wanted = np.arange(1, levels) * len(train) / levels
    chosen = np.unique([np.abs(below - n).argmin() for n in wanted])
    cuts: Float64Array = (values[chosen] + values[chosen + 1]) / 2
    return cuts


def _hue_levels(ring: Float64Array, is_train: BoolArray, levels: int) -> tuple[Int64Array, list[str], str]:
    """Levels of an angle: the circle is cut open where fewest training images are.

    Gray borders (coded as exactly 0) have no hue and become a value of their own.
    """
    is_gray = ring == 0.0
    colored = ring[is_train & ~is_gray]
    if len(colored) == 0:
        return np.zeros(len(ring), np.int64), ["gray"], "nothing (all borders are gray)"
    width = 360 / _HUE_BINS
    counts = np.histogram(colored, bins=_HUE_BINS, range=(0, 360))[0]
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    cut = (int(np.argmin(smooth)) + 0.5) * width
    thresholds = _thresholds((colored - cut) % 360, levels)
    index = np.searchsorted(thresholds, (ring - cut) % 360, side="right").astype(np.int64)
    edges = [cut, *((thresholds + cut) % 360), cut]
    values = [f"hue {low:.0f}-{high:.0f}" for low, high in itertools.pairwise(edges)]
    if is_gray.any():
        index[is_gray] = len(values)
        values.append("gray")
    return index, values, ", ".join(f"{edge:.0f}" for edge in edges[:-1]) + " degrees"
