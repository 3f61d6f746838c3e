"""Stage `guard`: stop before DVC removes a user's files.

DVC removes a stage's outputs before it runs the stage, so that the stage itself could only say that they are
gone. This one runs before every other, whenever datasets, methods or this code changed.
"""

from __future__ import annotations

from pipeline.artifacts.files import write_text
from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, check_outputs
from pipeline.artifacts.params_file import read_params
from pipeline.artifacts.paths import guard_path
from pipeline.settings.params import Params


def run() -> None:
    """Check every output of the active datasets; that no source lies among them, reading params checks."""
    check_all_outputs(read_params())
    # the same whatever was checked: nothing that follows runs again because a dataset was added
    write_text(guard_path(), '{"is_safe": true}\n')


def check_all_outputs(params: Params) -> None:
    """Raises: InputError (a user's file, a link or a folder is where an output of `dvc repro` belongs)."""
    for stage in ("guard", "index"):
        check_outputs(stage)
    for dataset in params.active:
        for stage in DATASET_STAGES:
            check_outputs(stage, dataset)
        for stage in METHOD_STAGES:
            for method in params.active_methods:
                check_outputs(stage, dataset, method)
