"""Write the plans: all of them, as the stage `plan` does, or the one of a stage that is run by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from pipeline.artifacts.files import find_foreign, fresh_dir
from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, PLAN_FILES
from pipeline.artifacts.paths import plans_dir
from pipeline.artifacts.plans import load_plan, plan_path, save_plan
from pipeline.plan.fingerprint import Code
from pipeline.plan.params import Params
from pipeline.plan.params_file import read_params
from pipeline.plan.resolve import make_plan, resolve
from pipeline.settings.base import Settings, deciding, deciding_nothing


def every_plan(params: Params) -> Iterator[tuple[str, ...]]:
    """Stage, dataset and method of everything that `dvc repro` runs."""
    yield ("index",)
    for dataset in params.active:
        yield from ((stage, dataset) for stage in DATASET_STAGES)
        yield from ((stage, dataset, method) for stage in METHOD_STAGES for method in params.active_methods)


def write_plans(params: Params, code: Code | None = None) -> None:
    """Replace all plans; one whose content is the same keeps its bytes, so that DVC runs nothing for it.

    Raises:
        InputError: an active dataset's entry does not validate, or a user's file lies among the plans.
    """
    code = code or Code()
    with fresh_dir(plans_dir(), foreign=partial(find_foreign, holds=PLAN_FILES)) as folder:
        for stage, *names in every_plan(params):
            told = resolve(params, stage, *names)
            path = folder / plan_path(stage, *names).relative_to(plans_dir())
            save_plan(path, make_plan(told, code, stage, *names), untracked(told))


def refresh(stage: str, *names: str) -> None:
    """Bring the plan of a stage that is run by hand up to `params.yaml`. Under DVC the stage `plan` does.

    Raises:
        InputError: `params.yaml` or the dataset's entry does not validate.
    """
    told = resolve(read_params(), stage, *names)
    path = plan_path(stage, *names)
    there = load_plan(path)
    if there and told and (there[0].settings, there[1]) == (deciding(told), untracked(told)):
        return
    save_plan(path, make_plan(told, Code(), stage, *names), untracked(told))


def untracked(told: Settings | None) -> dict[str, Any]:
    return {} if told is None else deciding_nothing(told)
