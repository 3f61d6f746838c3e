"""Parts of the images in the words of their conditions.

Shape legend: N images, C conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.core.types import BoolArray
from pipeline.statistics.slices import Part
from pipeline.verdict.harm.conditions import Condition


def columns_of(conditions: Sequence[Condition]) -> list[str]:
    """What conditions are about, in their order."""
    return list(dict.fromkeys(name for condition in conditions for name in condition.columns))


def tell(part: Part, conditions: Sequence[Condition]) -> list[str]:
    """What holds of its images, each once: class and annotated columns first, what does not hold last."""
    columns, literals = columns_of(conditions), sorted(part.literals)
    sides = [(conditions[c] if wanted else conditions[c].sides()[-1]) for c, wanted in literals]
    is_told = [wanted or conditions[c].has_opposite for c, wanted in literals]
    held = [side for side, told in zip(sides, is_told, strict=True) if told]
    pairs = [pair for one in held for pair in zip(one.columns, one.words, strict=True)]
    pairs.sort(key=lambda pair: columns.index(pair[0]))
    denied = [side.denied for side, told in zip(sides, is_told, strict=True) if not told]
    return list(dict.fromkeys([*(words for _, words in pairs), *denied]))


def holds(conditions: Sequence[Condition], name: Literal["val_N", "test_N"]) -> BoolArray:
    if not conditions:
        return np.zeros((0, 0), bool)
    table: BoolArray = np.stack([getattr(condition, name) for condition in conditions], axis=1)
    return table
