"""An error of a stage, handed to the program that started DVC, which itself sees that a command failed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts.files import write_text
from pipeline.core.errors import PipelineError

VARIABLE = "SHORTCUT_AUDIT_ERROR"  # of the environment: the file that takes it


def hand_over(error: PipelineError) -> None:
    """Write the error where the environment says; nothing where it says nothing."""
    place = os.environ.get(VARIABLE)
    if place:
        write_text(Path(place), json.dumps({"kind": type(error).__name__, "message": str(error)}))


def take_over(path: Path) -> PipelineError | None:
    """The error that a stage left at `path`; None: it left none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind = {error.__name__: error for error in _kinds(PipelineError)}[found["kind"]]
        return kind(str(found["message"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _kinds(kind: type[PipelineError]) -> Iterator[type[PipelineError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
