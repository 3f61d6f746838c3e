"""What a cue is: a function of an image or of its file that sees one thing only.

Shape legend: N images, F numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.exchanges.pair import Exchange

Strings = npt.NDArray[np.object_]
Kind = Literal["file", "pixels", "column"]


@dataclass(frozen=True)
class Seen:
    """What cues look at, of the same images: packed pixels, what their files say, annotated columns."""

    images: UInt8Array  # N H W 3, may be a memory map
    masks: UInt8Array | None = None  # N H W
    facts: pd.DataFrame | None = None  # N rows; None where files were not looked at
    columns: Mapping[str, Strings] = field(default_factory=dict)  # annotated attributes, in words

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Values:
    """What a cue reads off N images; no label was looked at."""

    numbers: Float32Array  # N x F; NaN: not known, which is a value of its own
    words: Mapping[str, Strings] = field(default_factory=dict)  # N each; None: not known
    is_stepped: bool = False  # numbers may tell by any order: cut into levels, too
    # places that are tried one by one, by name: their columns of `numbers`; empty: all columns together
    parts: Mapping[str, slice] = field(default_factory=dict)

    @classmethod
    def of_words(cls, n: int, words: Mapping[str, Strings]) -> Values:
        return cls(np.zeros((n, 0), np.float32), words)


@dataclass(frozen=True)
class Cue:
    """One thing that might tell the class, and that a model could use instead of what was meant.

    `breadth` orders cues that tell the same: what a file says first (0), what follows from it (1), the colors
    of all of the image (2, or a tint would be called the border's), fixed places (3), any place and the one
    property that nothing else changes (4), properties that others change as well (5, 6), many of them at once
    (7), views of all of the image (8). Of two that explain each other, the narrower is the better name.
    """

    name: str
    title: str  # "JPEG quality", as people read it
    sees: str  # one sentence: what it looks at, and nothing else
    kind: Kind
    breadth: int
    read: Callable[[Seen], Values | None]  # None: these data have no such thing
    may_be_content: bool  # what a class truly looks like shows here, too
    exchange: Exchange | None  # takes this of another image and leaves the rest; None: no edit of pixels can
    is_around: bool = False  # it looks where objects are not: what gives the class away there is no object
    is_visible: bool = True  # False: no trace of it is in the pixels, so no model of pixels can use it
    mostly_silent: bool = False  # most of its numbers say nothing of any class: those are left out
    trees: bool = True  # whether trees look, too
