"""Whose groups somebody must annotate for a method, read from the labels that it states it used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Need = Literal["nothing", "validation", "training"]
NEEDS: tuple[Need, ...] = ("nothing", "validation", "training")  # the cheapest first

_ANNOTATED = ("group labels", "class and group labels")  # not derived from colors, not inferred, not classes


def need_of(labels_used: Sequence[str]) -> Need:
    """The dearest groups among its labels."""
    annotated = [label for label in labels_used if label.startswith(_ANNOTATED)]
    if any("(train" in label for label in annotated):
        return "training"
    return "validation" if annotated else "nothing"
