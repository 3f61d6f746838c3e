"""`init`: make a folder of anyone's a project, in a git or DVC repository or in none."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sysconfig
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.plan.guard import check_all_outputs
from pipeline.plan.params import Params
from pipeline.plan.params_file import read_params
from pipeline.project.set_up import set_up
from pipeline.project.shipped import FILES, shipped

# What dvc.yaml runs. `python -m pipeline` would take a folder `pipeline` of the working directory for ours.
COMMAND = "shortcut-audit"


def run(folder: Path, *, show: str | None = None) -> None:
    """Write what is missing in `folder` and say it; with `show` print one of the files instead.

    Raises:
        InputError: the folder holds another project, or files where stages write. Nothing is written then.
    """
    if show is not None:
        print(shipped(show), end="")
        return
    if folder.is_dir():
        _check_room(folder)
    done = set_up(folder)
    for line in done.written:
        print(f"wrote {line}")
    if not done.written:
        print(f"{folder.resolve()} is an audit's project already: nothing was changed")
    for remark in [*done.remarks, *_pitfalls(folder)]:
        print(f"note: {remark}")
    into = "" if folder.resolve() == Path.cwd() else f"cd {folder}, then  "
    print(
        f"\nthe demo:         {into}dvc repro\n"
        f"your own images:  {into}{COMMAND} new-dataset NAME PATH --activate, then  dvc repro\n"
        "other settings:   params.yaml; `git add` it with dvc.yaml, and dvc.lock after a run"
    )


def _check_room(folder: Path) -> None:
    """Files of a user's where stages write would stop the first run: say so before anything is there."""
    with contextlib.chdir(folder):
        if Path("params.yaml").exists():
            return  # `check` and `plan` look by the user's own datasets
        try:
            check_all_outputs(_shipped_params())
        except InputError as error:
            raise InputError(
                f"{folder.resolve()} has no room for an audit's results: {error}\nOr give the audit a folder "
                f"of its own: {COMMAND} init {folder / 'shortcut_audit'}"
            ) from None


def _shipped_params() -> Params:
    return read_params(FILES / "params.yaml")


def _pitfalls(folder: Path) -> list[str]:
    """What makes a first `dvc repro` fail or run something else."""
    found = []
    if _has_namesake(folder):
        found.append(
            f"{folder / 'pipeline'} is your own package, which `python -m pipeline` would run here. Type "
            f"`{COMMAND}` instead, as dvc.yaml does; PYTHONPATH must not lead to yours while an audit runs."
        )
    scripts = Path(sysconfig.get_path("scripts"))
    runs = shutil.which(COMMAND)
    if runs is None or Path(runs).parent.resolve() != scripts.resolve():
        found.append(
            f"DVC looks for {COMMAND} in PATH, which {f'has {runs}' if runs else 'lacks it'}: activate "
            f"the environment that you installed it into ({scripts}) before `dvc repro`."
        )
    return found


def _has_namesake(folder: Path) -> bool:
    """Whether `folder` has a `pipeline` that Python would find first; one without `__init__` it would not."""
    spec = importlib.util.find_spec("pipeline")
    ours = Path(spec.origin).parent if spec is not None and spec.origin else None
    theirs = folder.resolve() / "pipeline"
    return theirs.with_suffix(".py").is_file() or ((theirs / "__init__.py").is_file() and theirs != ours)
