"""`studies/params.yaml`: one section a study, and `runs`: where its trainings run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import InputError
from pipeline.core.types import FanOutExecutor
from pipeline.settings.base import DecidesNothing, Settings
from pipeline.settings.parsing import did_you_mean, parse
from studies.frame.registry import NAMES, find_study

PARAMS = Path("studies") / "params.yaml"


class RunsSettings(Settings):
    """Where trainings run; no result depends on it."""

    executor: Annotated[FanOutExecutor, DecidesNothing()] = Field(
        description="local: processes on this machine; slurm: a job array, submitit_local: its jobs here "
        "(both need the extra submitit)"
    )
    workers: Annotated[int | None, DecidesNothing()] = Field(
        ge=1, description="one-thread processes, or jobs, side by side; null = one per core"
    )
    submitit: Annotated[dict[str, Any], DecidesNothing()] = Field(
        description="settings of submitit's executor, such as slurm_partition or timeout_min"
    )


def read_settings(name: str, path: Path = PARAMS) -> tuple[Settings, RunsSettings]:
    """The settings of a study, and where its trainings run.

    Raises:
        InputError: the file is not there or no YAML; a section is missing, unknown or not valid.
    """
    study, sections = find_study(name), _read(path)
    unknown = [key for key in sections if key not in (*NAMES, "runs")]
    if unknown:
        raise InputError(
            f"{path}: {unknown[0]} is no study{did_you_mean(unknown[0], NAMES) or '.'} "
            f"Allowed here: runs, {', '.join(NAMES)}."
        )
    for key in (name, "runs"):
        if not isinstance(sections.get(key), dict):
            raise InputError(f"{path} has no section {key}. Add it, as `git show HEAD:{path}` has it.")
    try:
        return parse(study.settings, sections[name], name), parse(RunsSettings, sections["runs"], "runs")
    except InputError as error:
        raise InputError(str(error).replace("params.yaml is", f"{path} is", 1)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Run this from the folder that holds `studies`.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} must be a mapping of sections.")
    return found
