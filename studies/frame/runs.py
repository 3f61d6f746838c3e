"""Independent trainings side by side, each kept until the study ends: a killed one goes on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from pipeline.artifacts.arrays import Arrays, load_arrays
from pipeline.artifacts.provenance import settings_hash
from pipeline.parallel.fan_out import fan_out
from pipeline.parallel.task import Arguments, Task
from pipeline.settings.base import Settings
from studies.frame.settings import RunsSettings
from studies.frame.study import Study, Trainings

_ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")


@contextmanager
def side_by_side(study: Study, settings: Settings, runs: RunsSettings) -> Iterator[Trainings]:
    """What trains for a study; its results are deleted when the block ends well.

    The folder of results is named by what decides them: the study's settings, all code and the libraries.
    A task's name must say which of the study's trainings it is.
    """
    decides: list[BaseModel | str] = [study.name, settings, code_digest(), *versions().values()]
    folder = Path(".scratch") / "studies" / f"{study.name}-{settings_hash(*decides)}"

    def train(function: Task, tasks: Mapping[str, Arguments]) -> dict[str, Arrays]:
        paths = fan_out(
            function,
            tasks,
            folder=folder / function.__name__,
            workers=runs.workers or len(os.sched_getaffinity(0)),
            label=f"{study.name}: {function.__name__}",
            unit="trainings",
            executor=runs.executor,
            submitit=runs.submitit,
        )
        return {name: load_arrays(path) for name, path in paths.items()}

    yield train
    shutil.rmtree(folder, ignore_errors=True)


def here(function: Task, tasks: Mapping[str, Arguments]) -> dict[str, Arrays]:
    """The trainings one after the other in this process, for tests and notebooks."""
    return {name: function(*arguments) for name, arguments in tasks.items()}


def code_digest() -> str:
    """Changes when any file of code does that a training could use."""
    files = sorted(path for part in ("pipeline", "studies") for path in (_ROOT / part).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in LIBRARIES}
