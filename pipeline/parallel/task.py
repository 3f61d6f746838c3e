"""What a process of a fan-out does with one task, wherever it runs."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts.arrays import Arrays, save_arrays
from pipeline.core.errors import PipelineError, TaskError
from pipeline.core.memory import keep_freed_memory

Arguments = tuple[Any, ...]
Task = Callable[..., Arrays]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Failure:
    """Why a task has no result, as text: not every error can be pickled."""

    name: str
    message: str
    trace: str  # "" where the message says what to do

    def error(self) -> TaskError:
        """The error to raise in the process that waits."""
        return TaskError(f"{self.name}: {self.message}" + (f"\n{self.trace}" if self.trace else ""))


def result_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"


def run_task(function: Task, name: str, arguments: Arguments, folder: Path) -> Failure | None:
    """Compute one task and write its result; a failure is returned, not raised."""
    try:
        save_arrays(result_path(folder, name), function(*arguments))
    except PipelineError as error:
        return Failure(name, str(error), "")
    except Exception as error:
        return Failure(name, f"{type(error).__name__}: {error}", traceback.format_exc())
    return None


@contextlib.contextmanager
def one_thread_environment() -> Iterator[None]:
    """Processes started inside load their libraries with one thread each.

    Several one-thread processes side by side beat one with several threads, and sums then add in the
    same order on every machine. The variables count only before the libraries load.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def prepare_process(index: int, *, uses_gpu: bool) -> None:
    """Settle this process as the worker `index`: one thread, and one of the GPUs where tasks use them.

    Called when the task's module is loaded: tasks without torch do not wait for it.
    """
    keep_freed_memory()
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        if uses_gpu and torch.cuda.is_available():
            torch.cuda.set_device(index % torch.cuda.device_count())
