"""What every stage writes, and how it is told from a user's own files.

`dvc.yaml` names the same paths, one by one: DVC removes a stage's outputs before it runs the stage, whoever
made them, so none of them may be a folder in which a user keeps files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts.files import find_foreign
from pipeline.artifacts.paths import (
    GROUPS_FILES,
    PACKED_FILES,
    attribution_dir,
    card_path,
    color_dir,
    dataset_dir,
    evaluation_dir,
    facts_path,
    gradcam_dir,
    groups_dir,
    indicators_dir,
    model_dir,
    plans_dir,
    plots_dir,
    reports_dir,
    retrained_dir,
    verdict_dir,
)
from pipeline.artifacts.written import find_not_written
from pipeline.core.errors import InputError

DATASET_STAGES = ("data", "color", "hygiene", "cues", "groups", "verdict", "report")
METHOD_STAGES = ("train", "evaluate", "retrain", "attribute", "gradcam", "indicators")
PLAN_FILES = r"([a-z0-9_]+/)?[a-z]+(-[a-z0-9_]+)?(\.untracked)?\.json|(.*/)?\..*\.part"


class Output(NamedTuple):
    path: Path
    holds: str | None = None  # a folder: what its files' names match; None: `path` is a file


def stage_outputs(stage: str, *names: str) -> list[Output]:
    """Everything that `stage` writes for `names` (dataset, method), as dvc.yaml lists it."""
    return [output if isinstance(output, Output) else Output(output) for output in _OUTPUTS[stage](*names)]


def _files(folder: Path, *names: str) -> list[Path | Output]:
    return [folder / name for name in names]


_OUTPUTS: dict[str, Callable[..., list[Path | Output]]] = {
    "plan": lambda: [Output(plans_dir(), holds=PLAN_FILES)],
    "data": lambda d: [*_files(dataset_dir(d), *PACKED_FILES), facts_path(dataset_dir(d))],
    "color": lambda d: _files(color_dir(d), "color.json", "color_predictions.parquet", "metrics.json"),
    "hygiene": lambda d: _files(
        color_dir(d),
        "hygiene.json",
        "odd_images.parquet",
        "copies.parquet",
        "properties.parquet",
        "hygiene_metrics.json",
    ),
    "cues": lambda d: _files(color_dir(d), "cues.json", "cue_classes.parquet", "cues_metrics.json"),
    "groups": lambda d: _files(groups_dir(d), *GROUPS_FILES),
    "train": lambda d, m: [
        Output(
            model_dir(d, m) / "weights", holds=r"[a-z]+_\d+(_epoch_\d+)?\.safetensors|predictions\.parquet"
        ),
        *_files(
            model_dir(d, m),
            "history.json",
            "dynamics.parquet",
            "curves.csv",
            "mean_curves.csv",
            "metrics.json",
        ),
    ],
    "evaluate": lambda d, m: _files(
        evaluation_dir(d, m),
        "evaluation.json",
        "predictions.parquet",
        "edited.npz",
        "metrics.json",
        "reliance.json",
    ),
    "retrain": lambda d, m: _files(retrained_dir(d, m), "retrained.json", "margins.npz"),
    "attribute": lambda d, m: _files(attribution_dir(d, m), "attribution.json", "metrics.json"),
    "gradcam": lambda d, m: [
        Output(gradcam_dir(d, m) / "overlays", holds=r".+\.png"),
        *_files(gradcam_dir(d, m), "gradcam.json", "maps.npz", "metrics.json"),
    ],
    "indicators": lambda d, m: _files(indicators_dir(d, m), "indicators.json", "values.npz", "metrics.json"),
    "verdict": lambda d: _files(verdict_dir(d), "verdict.json", "color.json", "hygiene.json", "cues.json"),
    "report": lambda d: [
        *_files(reports_dir(), f"{d}.html", f"{d}.json"),
        card_path(d),
        *_files(plots_dir(d), "curves.csv", "groups.csv"),
    ],
    "index": lambda: [reports_dir() / "index.html"],
}
_MAKERS = {
    "models": "train",
    "evaluation": "evaluate",
    "retrained": "retrain",
    "attribution": "attribute",
    "gradcam": "gradcam",
    "indicators": "indicators",
}
# The output that is a record: it has to be one of ours, and then so is what lies beside it.
_RECORDS = {
    "data": "dataset.json",
    "color": "color.json",
    "hygiene": "hygiene.json",
    "cues": "cues.json",
    "groups": "groups.json",
    "train": "history.json",
    "evaluate": "evaluation.json",
    "retrain": "retrained.json",
    "attribute": "attribution.json",
    "gradcam": "gradcam.json",
    "indicators": "indicators.json",
    "verdict": "verdict.json",
    "report": "{0}.json",
}


def remake_command(path: Path) -> str:
    """The command that makes the output `path` again, as it is typed."""
    for top, stage in _MAKERS.items():
        if len(path.parents) > 2 and path.parents[2].name == top:
            return f"dvc repro {stage}@{path.parents[1].name}-{path.parents[0].name}"
    if len(path.parents) > 1 and path.parents[1].name == "audit":
        made = {name: s for s in ("hygiene", "cues") for name in (o.path.name for o in _audit_outputs(s))}
        stage = made.get(path.name, "color")
        return f"dvc repro {stage}@{path.parents[0].name}"
    if len(path.parents) > 1 and path.parents[1].name in ("data", "groups", "verdict"):
        return f"dvc repro {path.parents[1].name}@{path.parents[0].name}"
    return "dvc repro"


def _audit_outputs(stage: str) -> list[Output]:
    return stage_outputs(stage, "any")


def check_outputs(stage: str, *names: str) -> None:
    """Refuse to write, and to let DVC remove, what cannot be told to be the stage's own.

    Raises:
        InputError: an output lies behind a link, a file stands where a folder belongs or the other way
            round, or a user's file has an output's name.
    """
    outputs = stage_outputs(stage, *names)
    for output in outputs:
        _check_kind(output)
        if output.holds is not None:
            foreign = find_foreign(output.path, output.holds)
            if foreign:
                raise InputError(_foreign(output.path / foreign[0], stage, names))
    files = [output.path for output in outputs if output.holds is None]
    found = find_not_written(stage, names, files, _record_path(stage, names, files))
    if found is not None:
        raise InputError(_foreign(found, stage, names))


def _record_path(stage: str, names: Sequence[str], files: Sequence[Path]) -> Path | None:
    name = _RECORDS.get(stage, "").format(*names)
    return next((path for path in files if path.name == name), None)


def _foreign(path: Path, stage: str, names: Sequence[str]) -> str:
    other = f", or give the dataset {names[0]!r} another name in params.yaml" if names else ""
    return (
        f"{path} was not written by this pipeline, but lies where the stage {stage} writes and DVC deletes. "
        f"Nothing was touched. Move it away (mv {path} ELSEWHERE){other}."
    )


def _check_kind(output: Output) -> None:
    for parent in reversed(output.path.parents[:-1]):
        _check_folder(parent, output.path)
    if output.holds is not None:
        _check_folder(output.path, output.path)
    elif output.path.is_dir():
        raise InputError(
            f"{output.path} is a folder, but a file of this name is written. Move it away: "
            f"mv {output.path} ELSEWHERE"
        )


def _check_folder(folder: Path, output: Path) -> None:
    """A link to a folder is refused: what is deleted and written through it lies who knows where."""
    if folder.is_symlink():
        raise InputError(
            f"{folder} is a link to {folder.readlink()}, and {output} would be deleted through it. "
            f"Take the link away (rm {folder}); for room on another disk, put the whole project there."
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"{folder} is a file, but {output} needs a folder here. Move it away: mv {folder} ELSEWHERE"
        )
