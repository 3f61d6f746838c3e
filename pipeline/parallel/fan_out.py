"""Independent tasks side by side: processes of this machine, or jobs of a cluster.

Every task has one result file. A run that is killed keeps the finished ones and goes on with the rest;
a result depends on its task's arguments alone, so neither kills nor the number of workers change it.
"""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import friendly_os_errors
from pipeline.core.errors import InputError
from pipeline.core.progress import Progress
from pipeline.core.types import FanOutExecutor
from pipeline.parallel.jobs import run_as_jobs
from pipeline.parallel.local_processes import run_in_processes
from pipeline.parallel.task import Arguments, Task, result_path

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


def fan_out(
    function: Task,
    tasks: Mapping[str, Arguments],
    *,
    folder: Path,
    workers: int,
    label: str,
    unit: str = "tasks",
    executor: FanOutExecutor = "local",
    submitit: Mapping[str, Any] | None = None,
    uses_gpu: bool = False,
) -> dict[str, Path]:
    """Call `function(*arguments)` for every task and keep what it returns, one file each.

    Args:
        function: of a module's top level, so that other processes find it. It returns arrays by name.
        tasks: arguments by name; they are pickled, so large data is named by its path and opened there.
        folder: of the result files, keyed by everything that decides them. Whole files in it are taken
            for results; the caller deletes the folder when it has read them.
        workers: one-thread processes, or jobs, at the same time.
        submitit: settings of submitit's executor, such as `slurm_partition` or `timeout_min`.
        uses_gpu: workers are spread over the GPUs of their machine, if any; else none is touched.

    Returns:
        The result file of every task, in the order of `tasks`; `arrays.load_arrays` reads one.

    Raises:
        TaskError: a task failed, or its process died; names the task. What was finished is kept.
        InputError: a name that is no file name; submitit or the cluster is not there.
    """
    wrong = [name for name in tasks if not _NAME.fullmatch(name)]
    if wrong:
        raise InputError(f"task name {wrong[0]!r} is not allowed: use letters, digits, _, - and . only.")
    with friendly_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    todo = {name: arguments for name, arguments in tasks.items() if not _is_whole(result_path(folder, name))}
    workers = min(workers, len(todo))
    if len(todo) < len(tasks):
        _log.info("%s: found %d of %d %s", label, len(tasks) - len(todo), len(tasks), unit)
    with Progress(label, total=len(tasks), unit=unit, start=len(tasks) - len(todo)) as progress:
        if todo and executor == "local":
            run_in_processes(function, todo, folder, workers, progress.update, uses_gpu=uses_gpu)
        elif todo:
            cluster = "slurm" if executor == "slurm" else "local"
            run_as_jobs(
                function,
                todo,
                folder,
                workers,
                progress.update,
                cluster=cluster,
                parameters=submitit or {},
                uses_gpu=uses_gpu,
            )
    return {name: result_path(folder, name) for name in tasks}


def _is_whole(path: Path) -> bool:
    """Whether a result is there and its checksums hold; a damaged one makes way."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is None:
                return True
    except FileNotFoundError:
        return False
    except (OSError, zipfile.BadZipFile, EOFError):
        pass
    path.unlink(missing_ok=True)
    return False


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half written."""
    for leftover in folder.glob(".*.part"):
        leftover.unlink(missing_ok=True)
