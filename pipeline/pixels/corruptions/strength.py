"""How strong a corruption is at an image's size.

The constants of five severities were published for sides of 32, 64 and 224 pixels. An image gets those of the
nearest of these sizes by ratio (of its shorter side; the borders are at 46 and 120 pixels), and what they say in
pixels is multiplied by its side over the published one. Images below 32 pixels keep the lengths of 32 pixels: a
blur of less than a pixel is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

Constants = TypeVar("Constants")
BySide = Mapping[int, Sequence[Constants]]  # of severities 1 to 5, by published side

SEVERITIES = (1, 2, 3, 4, 5)
LEAST_SIDE, MOST_SIDE = 8, 512  # pixels


class Size(NamedTuple):
    """Of an image."""

    height: int
    width: int

    @property
    def side(self) -> int:
        return min(self)

    @property
    def published(self) -> int:
        """The published side whose constants hold."""
        return min((32, 64, 224), key=lambda side: abs(math.log(self.side / side)))

    @property
    def scale(self) -> float:
        """What published lengths are multiplied by."""
        return max(1.0 if self.published == 32 else 0.0, self.side / self.published)


def constants_of(by_side: BySide[Constants], severity: int, size: Size) -> Constants:
    """What was published for the nearest side.

    >>> constants_of({32: "abcde", 64: "fghij", 224: "klmno"}, 2, Size(96, 128))
    'g'
    """
    return by_side[size.published][severity - 1]
