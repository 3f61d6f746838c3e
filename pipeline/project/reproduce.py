"""`dvc repro` of a project as a process of its own, in another folder than the caller's; it is shown."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.artifacts.handed_over import VARIABLE, take_over
from pipeline.core.errors import InputError, TaskError

COMMAND = "shortcut-audit"
_N_LINES = 15  # of the last that a failure without words of its own is told with
_SECONDS = 10.0  # that stages have to end when the caller stops them


def reproduce(folder: Path, targets: Sequence[str] = ()) -> None:
    """Run what is out of date in `folder` and print, line by line, what the stages say.

    Interrupted, it ends the stages; called again, they go on from what they kept.

    Raises:
        PipelineError: what stopped a stage, as the stage raised it.
        TaskError: a stage crashed, was killed, or DVC itself failed; with the last lines.
    """
    with tempfile.TemporaryDirectory() as place:
        error = Path(place) / "error.json"
        last: deque[str] = deque(maxlen=_N_LINES)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dvc", "repro", *targets],
            cwd=folder,
            env=_environment(error),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # what ends it ends its stages and their processes, too
        )
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                last.append(line)
            status = process.wait()
        finally:
            _end(process)
        if status:
            raise take_over(error) or TaskError(
                f"`dvc repro` in {folder} ended with status {status}. What is finished is kept: run again to "
                f"go on. Its last lines:\n{''.join(last)}"
            )


def _environment(error: Path) -> Mapping[str, str]:
    """That of this process, with this installation's command first in PATH: a notebook activates none."""
    scripts = sysconfig.get_path("scripts")
    known = {key: value for key, value in os.environ.items() if key not in ("DVC_STAGE", "DVC_ROOT")}
    path = os.pathsep.join(filter(None, [scripts, known.get("PATH", "")]))
    if shutil.which(COMMAND, path=path) is None:
        raise InputError(
            f"the command {COMMAND}, which the stages run, is not in {scripts}: install the package into "
            f"this Python ({sys.executable} -m pip install shortcut-audit)."
        )
    return known | {"PATH": path, "PYTHONUNBUFFERED": "1", VARIABLE: str(error)}


def _end(process: subprocess.Popen[str]) -> None:
    """Whatever still runs of it; nothing where it has ended."""
    if process.poll() is not None:
        return
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS)
            return
