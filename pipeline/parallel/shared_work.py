"""Work cut into pieces that processes share through the file system, and that survives kills.

Nothing is sent between processes: a finished piece is a file. Several machines with one file system
serve as well as several processes, and one that was killed is made up for by the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.core.progress import Progress
from pipeline.parallel.rank import World

_log = logging.getLogger(__name__)
SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Piece:
    """Work whose result is one file: there or not, never half there.

    `make` writes `path` by a rename (`write_atomic`), the same bytes in every process.
    """

    path: Path
    make: Callable[[], None]


def do_together(pieces: Sequence[Piece], world: World, label: str) -> None:
    """Return once every piece's file exists, whichever process made it.

    A process takes every `size`-th piece first, then those of others that nobody works at: they may
    be slower, killed or never started. Who works at a piece holds a lock beside its file, which the
    system takes back when its holder dies.
    """
    own = [piece for i, piece in enumerate(pieces) if i % world.size == world.rank]
    left = own + [piece for i, piece in enumerate(pieces) if i % world.size != world.rank]
    n_found, n_made = sum(piece.path.exists() for piece in pieces), 0
    with Progress(label, total=len(pieces), unit="blocks") as progress:
        while left:
            waiting = []
            for piece in left:
                is_there = piece.path.exists()
                if is_there or _is_done(piece):
                    n_made += not is_there
                    progress.update(1)
                else:
                    waiting.append(piece)
            if len(waiting) == len(left):  # all are in other hands
                time.sleep(SECONDS_BETWEEN_LOOKS)
            left = waiting
    if n_found:
        _log.info("%s: found %d of %d blocks, made %d", label, n_found, len(pieces), n_made)


def _is_done(piece: Piece) -> bool:
    """Make the piece, unless another process is at it."""
    try:
        with FileLock(piece.path.with_name(f".{piece.path.name}.lock")).acquire(timeout=0):
            if not piece.path.exists():  # made between the look and the lock
                for leftover in piece.path.parent.glob(f".{piece.path.name}.*.part"):
                    leftover.unlink()  # of a process that was killed while it wrote
                piece.make()
    except Timeout:
        return False
    return True
