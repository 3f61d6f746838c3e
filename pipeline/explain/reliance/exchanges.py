"""Exchanges that an annotated attribute is tried with; the edits themselves stand with the cues.

A cue that was found has its own (`cues.cue.Cue.exchange`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cues.exchanges.cells import exchange_frame, exchange_rim
from pipeline.cues.exchanges.color import exchange_color
from pipeline.cues.exchanges.pair import Exchange
from pipeline.cues.exchanges.texture import exchange_look, exchange_texture


@dataclass(frozen=True)
class Edit:
    """One property that can be exchanged between any two images."""

    words: str  # what is exchanged
    edit: Exchange
    needs_masks: bool = False


# The least change first: of exchanges that carry an attribute about equally well the first is taken.
EXCHANGES: dict[str, Edit] = {
    "color_exchange": Edit("color, brightness and contrast", exchange_color),
    "frame_exchange": Edit("the color along the image's border", exchange_frame),
    "rim_exchange": Edit("the color along the object's edge", exchange_rim, needs_masks=True),
    "texture_exchange": Edit("the texture (fine detail)", exchange_texture),
    "look_exchange": Edit("texture, color, brightness and contrast", exchange_look),
}
