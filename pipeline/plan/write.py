"""Write the plans: all of them, as the stage `plan` does, or the one of a stage that is run by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import find_foreign, fresh_dir
from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, PLAN_FILES
from pipeline.artifacts.paths import plans_dir
from pipeline.artifacts.plans import StagePlan, load_plan, plan_path, plan_texts, save_plan
from pipeline.methods.registry import BASE
from pipeline.plan.fingerprint import Code
from pipeline.plan.params import Params
from pipeline.plan.params_file import read_params
from pipeline.plan.resolve import make_plan, resolve, tell
from pipeline.settings.base import deciding_nothing
from pipeline.settings.plans.train import TrainPlan


def write_plans(params: Params, code: Code | None = None) -> None:
    """Replace all plans; one whose content is the same keeps its bytes, so that DVC runs nothing for it.

    Raises:
        InputError: an active dataset's entry does not validate, or a user's file lies among the plans.
    """
    plans = list(every_plan(params, code or Code()))
    with fresh_dir(plans_dir(), foreign=partial(find_foreign, holds=PLAN_FILES)) as folder:
        for path, plan, untracked in plans:
            for file, text in plan_texts(folder / path.relative_to(plans_dir()), plan, untracked).items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")  # the folder as a whole takes the other's place


def every_plan(params: Params, code: Code) -> Iterator[tuple[Path, StagePlan, dict[str, Any]]]:
    """Of everything that `dvc repro` runs, and what of it is not tracked."""
    yield plan_path("index"), make_plan(None, code, "index"), {}
    for dataset in params.active:
        settings = params.dataset(dataset)
        names = [
            *((stage, dataset) for stage in DATASET_STAGES),
            *((stage, dataset, method) for stage in METHOD_STAGES for method in params.active_methods),
        ]
        for stage in names:
            told = tell(params, settings, *stage)
            yield plan_path(*stage), make_plan(told, code, *stage), deciding_nothing(told)


def refresh(stage: str, *names: str) -> None:
    """Bring the plan of a stage that is run by hand up to `params.yaml` and the code. Under DVC `plan` does.

    Raises:
        InputError: `params.yaml` or the dataset's entry does not validate.
    """
    told, path = resolve(read_params(), stage, *names), plan_path(stage, *names)
    if told is None:
        return
    if isinstance(told, TrainPlan) and told.base:
        refresh(
            stage, names[0], BASE
        )  # whether a base model on disk is of this code, it is asked by its plan
    planned = make_plan(told, _code(), stage, *names), deciding_nothing(told)
    if planned != load_plan(path):
        save_plan(path, *planned)


@cache
def _code() -> Code:
    """What runs in this process is what it loaded: an edit meanwhile is of no concern."""
    return Code()
