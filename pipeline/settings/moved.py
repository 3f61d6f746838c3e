"""Keys of older files that say what forms groups, and how that is written now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GONE = ("derive_attribute", "levels")  # of attributes that were read off the border
_INSTEAD = {"ring_lightness": "border", "ring_hue": "color", "never": "never", "auto": "auto"}


def written(given: Mapping[str, Any]) -> str:
    """The keys of `groups` as they are written now: "from: auto, group_by: class"."""
    source = _INSTEAD.get(str(given.get("derive_attribute")), given.get("from", "auto"))
    return ", ".join([f"from: {source}", *(f"{key}: {given[key]}" for key in ("group_by",) if key in given)])
