"""Where this process stands among those that were started together."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """This process's number among `size`, counted from 0."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes what all have made."""
        return self.rank == 0


def current_place() -> Place:
    """The place that torchrun gave this process (RANK, WORLD_SIZE); alone without it."""
    return Place(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
