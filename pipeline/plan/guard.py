"""Stop before DVC removes a user's files.

DVC removes a stage's outputs before it runs the stage, so that the stage itself could only say that they are
gone. The stage `plan` looks before every other, whenever datasets, methods or code changed.
"""

from __future__ import annotations

from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, check_outputs
from pipeline.plan.params import Params


def check_all_outputs(params: Params) -> None:
    """Raises: InputError (a user's file, a link or a folder is where an output of `dvc repro` belongs)."""
    for stage in ("plan", "index"):
        check_outputs(stage)
    for dataset in params.active:
        for stage in DATASET_STAGES:
            check_outputs(stage, dataset)
        for stage in METHOD_STAGES:
            for method in params.active_methods:
                check_outputs(stage, dataset, method)
