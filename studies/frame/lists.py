"""Lists of settings that more than one study has."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator

from pipeline.settings.base import Seed

Sizes = TypeVar("Sizes", list[int], list[float])


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("seeds must be different: the same training twice is no second one")
    return seeds


def _ascending(sizes: Sizes) -> Sizes:
    if sorted(set(sizes)) != list(sizes):
        raise ValueError("must be ascending, each value once")
    return sizes


Seeds = Annotated[list[Seed], AfterValidator(_different)]
Counts = Annotated[list[int], AfterValidator(_ascending)]
Shares = Annotated[list[float], AfterValidator(_ascending)]
