"""All cues: **a new one is a file with a `CUE` and its name in `MODULES`.**"""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from pipeline.core.errors import InputError
from pipeline.cues.cue import Cue, Seen, Values

FACTS = (
    "image_size",
    "aspect",
    "jpeg",
    "file_format",
    "camera",
    "software",
    "capture_date",
    "exif_turn",
    "metadata",
    "file_name",
    "name_number",
    "order",
    "modified",
    "file_size",
)
VIEWS = (
    "color",
    "corners",
    "border",
    "cells",
    "overlay",
    "blockiness",
    "noise",
    "sharpness",
    "spectrum",
    "pattern",
    "fringe",
    "texture",
    "thumbnail",
    "surroundings",
    "background",
    "foreground",
)
MODULES = {
    **{name: f"pipeline.cues.facts.{name}" for name in FACTS},
    **{name: f"pipeline.cues.views.{name}" for name in VIEWS},
}


def find_cue(name: str) -> Cue:
    """The cue of that name.

    Raises:
        InputError: there is none.
    """
    if name not in MODULES:
        raise InputError(f"no cue is called {name!r}; known: {', '.join(MODULES)}.")
    cue: Cue = importlib.import_module(MODULES[name]).CUE
    return cue


def all_cues(columns: Iterable[str] = ()) -> list[Cue]:
    """Every cue, and one for each annotated column."""
    return [*(column_cue(name) for name in columns), *map(find_cue, MODULES)]


def column_cue(column: str) -> Cue:
    """An annotated attribute as a cue."""

    def read(seen: Seen) -> Values | None:
        if column not in seen.columns:
            return None
        return Values.of_words(len(seen), {column: seen.columns[column]})

    return Cue(
        name=f"attr_{column}",
        title=column,
        sees=f"the annotated column {column}",
        kind="column",
        breadth=0,
        read=read,
        may_be_content=False,
        exchange=None,  # attributes are exchanged by what goes with them (`explain/reliance`)
        trees=False,
    )
