"""Tasks as a job array of SLURM, or as local processes, through submitit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError, TaskError
from pipeline.parallel.task import (
    Arguments,
    Failure,
    Task,
    one_thread_environment,
    prepare_process,
    result_path,
    run_task,
)

_TIMEOUT_MINUTES = 24 * 60  # submitit's own default of 5 minutes would end a training half way
_SECONDS_BETWEEN_LOOKS = 0.5


def run_as_jobs(
    function: Task,
    tasks: Mapping[str, Arguments],
    folder: Path,
    workers: int,
    done: Callable[[int], None],
    *,
    cluster: str,
    parameters: Mapping[str, Any],
    uses_gpu: bool,
) -> None:
    """Compute all tasks in an array of `workers` jobs, each of which takes its share one by one.

    Jobs that SLURM ends early and queues again skip what they have finished.

    Raises:
        InputError: submitit is not installed, does not know a parameter, or finds no SLURM.
        TaskError: a task failed, or its job ended without a result; the other jobs are cancelled.
    """
    executor = _executor(folder.absolute() / "jobs", workers, cluster, parameters)
    shares = [list(tasks.items())[start::workers] for start in range(workers)]
    with one_thread_environment(), executor.batch():
        jobs = [
            executor.submit(_Share(function, share, folder.absolute(), index, uses_gpu))
            for index, share in enumerate(shares)
        ]
    try:
        _wait_for(jobs, [result_path(folder, name) for name in tasks], done)
    except BaseException:
        for job in jobs:
            job.cancel()
        raise


@dataclass(frozen=True)
class _Share:
    """One job: some of the tasks, one after the other."""

    function: Task
    tasks: list[tuple[str, Arguments]]
    folder: Path  # absolute: a job may start elsewhere
    index: int
    uses_gpu: bool

    def __call__(self) -> Failure | None:
        prepare_process(self.index, uses_gpu=self.uses_gpu)
        for name, arguments in self.tasks:
            if not result_path(self.folder, name).exists():
                failure = run_task(self.function, name, arguments, self.folder)
                if failure is not None:
                    return failure
        return None

    def checkpoint(self) -> Any:
        """What submitit queues again when a job's time is up or a stronger one takes its place."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _executor(logs: Path, workers: int, cluster: str, parameters: Mapping[str, Any]) -> Any:
    try:
        import submitit
    except ModuleNotFoundError:
        raise InputError(
            f"executor: {'slurm' if cluster == 'slurm' else 'submitit_local'} needs the package submitit, "
            "which is not installed: pip install 'shortcut-audit[submitit]', or set executor: local."
        ) from None
    given = {"name": "shortcut-audit", "timeout_min": _TIMEOUT_MINUTES, "cpus_per_task": 1, **parameters}
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=cluster)
        executor.update_parameters(**given, slurm_array_parallelism=workers)
    except (RuntimeError, NameError, TypeError, ValueError) as error:
        raise InputError(
            f"submitit cannot start jobs on {cluster!r} with {dict(parameters)}: {error} Correct "
            "retrain.submitit, run where sbatch is there, or set executor: local."
        ) from None
    return executor


def _wait_for(jobs: Sequence[Any], results: Sequence[Path], done: Callable[[int], None]) -> None:
    n_done = 0
    while True:
        ended = [job for job in jobs if job.done()]  # before the files are counted
        n_now = sum(path.exists() for path in results)
        done(n_now - n_done)
        n_done = n_now
        for job in ended:
            _check(job)
        if len(ended) == len(jobs):
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _check(job: Any) -> None:
    """Raise `TaskError` where an ended job has failed."""
    crash = job.exception()
    if crash is not None:
        raise TaskError(
            f"job {job.job_id} ended without a result: {crash} Its output is in {job.paths.stderr}. "
            "Finished tasks are kept: run `dvc repro` again."
        )
    failure: Failure | None = job.result()
    if failure is not None:
        raise failure.error()
