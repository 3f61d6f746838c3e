"""Tasks in processes of this machine.

Each worker has a pipe of its own: a worker that dies closes it, so it is known which task it was at, and
no lock of a shared queue dies with it.

Workers are forked from a server process, which has loaded the libraries and computed nothing: what has used
torch, as the caller has, may not be forked.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from pipeline.core.errors import TaskError
from pipeline.core.memory import available_cores, loaded
from pipeline.parallel.task import Arguments, Task, one_thread_environment, prepare_process, run_task

_CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()


def _context() -> SpawnContext | ForkServerContext:
    return multiprocessing.get_context("forkserver") if _CAN_FORK else multiprocessing.get_context("spawn")


def begin_workers(module: str) -> None:
    """Begin to load `module` in the server that workers are forked from, while the caller goes on.

    It is a short cut: workers load by themselves what the server has not. For programs, at their beginning;
    does nothing where processes cannot be forked, or on one core, or where torchrun started several.
    """
    if not _CAN_FORK or available_cores() < 2 or "WORLD_SIZE" in os.environ:
        return
    _context().set_forkserver_preload([module])
    with one_thread_environment():
        forkserver.ensure_running()


def run_in_processes(
    function: Task,
    tasks: Mapping[str, Arguments],
    folder: Path,
    workers: int,
    done: Callable[[int], None],
    *,
    uses_gpu: bool,
) -> None:
    """Compute all tasks in `workers` processes, each of which takes one task after the other.

    Raises:
        TaskError: the first failure; the other processes are stopped at once.
    """
    context = _context()
    waiting = deque(tasks.items())
    pool: list[_Worker] = []
    try:
        with one_thread_environment():
            pool.extend(_Worker(context, function, folder, index, uses_gpu) for index in range(workers))
        busy = {worker.pipe: worker for worker in pool if worker.take(waiting)}
        while busy:
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                worker.finish()
                done(1)
                if not worker.take(waiting):
                    del busy[worker.pipe]
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """A process and the task that it is at."""

    def __init__(
        self,
        context: SpawnContext | ForkServerContext,
        function: Task,
        folder: Path,
        index: int,
        uses_gpu: bool,
    ) -> None:
        self.task = ""
        self.pipe, end = context.Pipe()
        # the function as bytes: unpickling it imports torch, and the child watches its parent before that
        arguments = (end, pickle.dumps(function), folder, index, uses_gpu)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        end.close()  # the child's copy is the last: it closes when the child ends

    def take(self, waiting: deque[tuple[str, Arguments]]) -> bool:
        """Begin the next task; False where none is left."""
        if not waiting:
            return False
        self.task, arguments = waiting.popleft()
        with contextlib.suppress(BrokenPipeError):  # it died: `finish` says so
            self.pipe.send((self.task, arguments))
        return True

    def finish(self) -> None:
        """Take in that the task is done.

        Raises:
            TaskError: it failed, or the process ended.
        """
        try:
            failure = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            raise TaskError(
                f"{self.task}: its process was killed or crashed (exit status {self.process.exitcode}). "
                "If memory ran out, set fewer workers. Finished tasks are kept: run `dvc repro` again."
            ) from None
        if failure is not None:
            raise failure.error()

    def stop(self) -> None:
        self.process.kill()  # results are written atomically: nothing to tidy up
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, pickled: bytes, folder: Path, index: int, uses_gpu: bool) -> None:
    """A worker's life: one task after the other, until the parent hangs up."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops its workers
    function: Task = pickle.loads(pickled)
    loaded()
    prepare_process(index, uses_gpu=uses_gpu)
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(run_task(function, name, arguments, folder))


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, however it did."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
