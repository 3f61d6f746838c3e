"""Lists of settings that more than one study has."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator

Sizes = TypeVar("Sizes", list[int], list[float])


def _ascending(sizes: Sizes) -> Sizes:
    if sorted(set(sizes)) != list(sizes):
        raise ValueError("must be ascending, each value once")
    return sizes


Counts = Annotated[list[int], AfterValidator(_ascending)]
Shares = Annotated[list[float], AfterValidator(_ascending)]
