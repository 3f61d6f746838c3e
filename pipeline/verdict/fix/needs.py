"""Whose groups somebody must have annotated for a method: a part of its price.

Read from the labels that a method says it used, so that no training depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from pipeline.records.recommendation import Need

_ANNOTATED = ("group labels", "class and group labels")  # not of a cue, not inferred, not classes
_NOT_KNOWN = "not known"  # of what was trained elsewhere
NEED_WORDS: dict[Need, str] = {
    "nothing": "no group labels",
    "validation": "group labels of validation images",
    "training": "group labels of training images",
    "unknown": "which labels is not known",
}


def groups_needed(labels: Sequence[str]) -> Need:
    """Of which images the groups had to be annotated.

    >>> groups_needed(["class labels (train)", "class and group labels (validation, selection)"])
    'validation'
    """
    if any(label.startswith(_NOT_KNOWN) for label in labels):
        return "unknown"
    annotated = [label for label in labels if label.startswith(_ANNOTATED)]
    if any("(train" in label for label in annotated):
        return "training"
    return "validation" if annotated else "nothing"


def by_price(need: Need) -> int:
    """0 for what costs nothing, more for what costs more."""
    return get_args(Need).index(need)
