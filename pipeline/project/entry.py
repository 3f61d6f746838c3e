"""The entry of a dataset at a path: what files say, and what methods need to go on without an attribute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.data.entry.guess import Guessed
from pipeline.data.entry.guess import guess_entry as guess_files
from pipeline.methods.method import GroupMethod
from pipeline.methods.registry import find_method, method_names


def guess_entry(
    name: str,
    path: Path,
    *,
    attributes: Sequence[str] | None = None,
    **given: Any,
) -> Guessed:
    """What the files say, with settings of methods where nobody annotated groups.

    Raises:
        InputError: nothing usable at `path`, or columns that cannot be guessed.
    """
    guessed = guess_files(name, path, attributes=attributes, **given)
    entry = guessed.entry
    if not entry["source"].get("columns", {}).get("attributes"):
        # groups of a cue may well be empty for some class: leave those out instead of stopping
        methods = [method for method in method_names() if isinstance(find_method(method), GroupMethod)]
        entry["methods"] = {method: {"allow_empty_groups": True} for method in methods}
    return guessed


def name_of(source: Mapping[str, Any]) -> str:
    """A dataset's name, as DVC allows them, after the path of its source, or after its kind.

    Raises:
        InputError: there is neither.
    """
    path, kind = source.get("path"), source.get("kind")
    words = Path(str(path)).stem if path else str(kind or "")
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if not name:
        raise InputError(
            f"a dataset needs a `source` with a `kind` or a `path` to be named after, not {dict(source)}."
        )
    return name
