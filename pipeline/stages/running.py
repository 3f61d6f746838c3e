"""What every stage does around its work: one at a time, no leftovers, readable errors."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.artifacts.files import friendly_os_errors

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def exclusive(stage: str, *names: str, outputs: list[Path]) -> Iterator[None]:
    """Hold the stage's own lock and sweep what a killed run left beside its outputs.

    Killing `dvc` alone leaves its stage running; without the lock a second `dvc repro` would write
    the same files at the same time.
    """
    lock_path = Path(".scratch") / "locks" / ("-".join([stage, *names]) + ".lock")
    with friendly_os_errors(lock_path):
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.warning("another %s run is still at work (%s); waiting for it", stage, lock_path)
            lock.acquire()
    try:
        for output in outputs:
            for leftover in output.parent.glob(f".{output.name}.*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield
    finally:
        lock.release()
