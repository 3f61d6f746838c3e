"""What the stage `plan` leaves for each stage, dataset and method.

DVC tracks the whole of a plan and reruns a stage when it is another one. What no result depends on, such as
the number of processes, lies in a file beside it that no stage of DVC's depends on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.artifacts.files import write_text
from pipeline.artifacts.paths import plans_dir
from pipeline.core.errors import ArtifactError
from pipeline.settings.base import Settings
from pipeline.settings.parsing import deep_merge

S = TypeVar("S", bound=Settings)


class StagePlan(BaseModel):
    """What decides a stage's result, as its file holds it."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any]
    code: str  # fingerprint of all modules that the stage imports for this method


def plan_path(stage: str, *names: str) -> Path:
    """Where the plan of a stage lies; `names` are its dataset and its method."""
    dataset, method = names[:1], names[1:]
    return plans_dir().joinpath(*dataset, "-".join([stage, *method]) + ".json")


def read_plan(kind: type[S], stage: str, *names: str) -> S:
    """The settings that a stage goes by.

    Raises:
        ArtifactError: there is no plan, or it is not of this kind.
    """
    path = plan_path(stage, *names)
    found = load_plan(path)
    if found is None:
        raise ArtifactError(
            f"{path} does not exist: nothing says what {stage} is to do. Run `shortcut-audit plan`, or "
            "`dvc repro`."
        )
    plan, untracked = found
    try:
        return kind.model_validate(deep_merge(plan.settings, untracked))
    except ValidationError as error:
        raise _broken(path, error) from None


def read_code(stage: str, *names: str) -> str:
    """Fingerprint of the code that a stage is planned with; empty where there is no plan.

    Names what a stage keeps for itself between runs: work of other code is not gone on from.
    """
    found = load_plan(plan_path(stage, *names))
    return "" if found is None else found[0].code


def is_brought(dataset: str, method: str) -> bool:
    """Whether a method's plan says that it was trained elsewhere."""
    found = load_plan(plan_path("train", dataset, method))
    return found is not None and "brought" in found[0].settings


def trains_own_network(dataset: str, method: str) -> bool:
    """Whether a method's plan says that its network is one of `models`."""
    found = load_plan(plan_path("train", dataset, method))
    return found is not None and bool(found[0].settings.get("train", {}).get("network"))


def load_plan(path: Path) -> tuple[StagePlan, dict[str, Any]] | None:
    """A plan and what is not tracked of it; None where there is none.

    Raises:
        ArtifactError: it is no plan.
    """
    try:
        plan = StagePlan.model_validate_json(path.read_text(encoding="utf-8"))
        untracked: dict[str, Any] = json.loads(_untracked_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:  # of JSON, of encoding, or of pydantic
        raise _broken(path, error) from None
    return plan, untracked


def save_plan(path: Path, plan: StagePlan, untracked: dict[str, Any]) -> None:
    """Write both files, each whole or not at all."""
    for file, text in plan_texts(path, plan, untracked).items():
        write_text(file, text)


def plan_texts(path: Path, plan: StagePlan, untracked: dict[str, Any]) -> dict[Path, str]:
    """Both files; the same plan gives the same text."""
    files = {_untracked_path(path): untracked, path: plan.model_dump(mode="json")}
    return {file: json.dumps(values, indent=1, ensure_ascii=False) + "\n" for file, values in files.items()}


def _untracked_path(path: Path) -> Path:
    return path.with_suffix(".untracked.json")


def _broken(path: Path, error: Exception) -> ArtifactError:
    what = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        what = ": ".join([".".join(map(str, first["loc"])), first["msg"]])
    return ArtifactError(f"{path} is not a plan ({what}). Run `shortcut-audit plan` to make it again.")
