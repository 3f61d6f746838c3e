"""What every stage does around its work: one at a time, no leftovers, readable errors."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.artifacts.files import friendly_os_errors, sweep_leftovers
from pipeline.artifacts.outputs import check_outputs, stage_outputs
from pipeline.artifacts.written import noted

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def exclusive(stage: str, *names: str) -> Iterator[None]:
    """Hold the stage's own lock, check that its outputs are its own, sweep leftovers, note what was written.

    Killing `dvc` alone leaves its stage running; without the lock a second `dvc repro` would write
    the same files at the same time.

    Raises:
        InputError: a user's file, a link or a folder is in an output's way.
    """
    with locked(stage, *names):
        check_outputs(stage, *names)
        outputs = stage_outputs(stage, *names)
        for output in outputs:
            sweep_leftovers(output.path)
        with noted(stage, names, [output.path for output in outputs if output.holds is None]):
            yield


@contextlib.contextmanager
def locked(stage: str, *names: str) -> Iterator[None]:
    """Hold the lock of a stage, or of one of its processes; it is free again also when its holder dies."""
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
        yield
    finally:
        lock.release()
