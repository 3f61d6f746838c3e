"""An audit in one call, for notebooks and programs: what the stages do, into a folder, and the typed report.

For example `report = audit.run("/photos/birds", ["/nets/my_vit", "erm"], folder="birds_audit")`, and then
`{rung.rung: rung.status for rung in report.verdict.rungs}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import load_artifact, write_text
from pipeline.core.errors import InputError
from pipeline.project.entry import guess_entry, name_of
from pipeline.project.models import Models, absolute, identify_models
from pipeline.project.reproduce import reproduce
from pipeline.project.run_params import (
    Asked,
    check_users,
    is_users,
    known_models,
    known_names,
    plain,
    plan_run,
    unknown,
)
from pipeline.project.set_up import set_up
from pipeline.records.report import Report


def run(
    dataset: str | Path | Mapping[str, Any],
    model: Models = "erm",
    *,
    folder: str | Path,
    settings: Mapping[str, Any] | None = None,
    explain: bool = True,
) -> Report:
    """Audit `dataset` with `model` in `folder`, and return the report. What stages say is printed meanwhile.

    The folder becomes a project as `shortcut-audit init` makes one, outside of git: its page is
    `reports/<dataset>.html`, and `dvc repro` goes on with it by hand. Called again with the same arguments
    nothing is computed again; with others, what they decide. A `params.yaml` of your own is never written
    to: then it has to run the dataset and the methods already, and says itself what is explained.

    Args:
        dataset: a name (of a shipped dataset, or of an entry in the folder's `params.yaml`); a path, read
            as `shortcut-audit new-dataset` reads it; or an entry, `{"source": {...}, ...}`. Of a text that
            could be both the name counts: `Path(...)` says that it is a path.
        model: a training method, or a model that is there already: a path as `shortcut-audit new-model`
            reads it (a folder of timm's or Hugging Face's, a table of predictions, `file.py:function`), or an
            entry of `models`, `{"kind": "python", "path": ..., "weights": [...]}`. Or several: the first is
            the baseline that others are compared with. A mapping gives models their names.
        folder: made where it is not there; may hold other things.
        settings: sections that are laid over the dataset's entry, such as `{"train": {"epochs": 3}}`.
        explain: explain every model by TRAK and GradCAM. False: the baseline alone, whose harm the report
            traces to images, without retraining that would check it.

    Raises:
        InputError: arguments, data or settings are not usable as they are; other errors of
            `pipeline.core.errors` as the stages raise them.
    """
    place = Path(folder).expanduser().resolve()
    name, entry = _identify(dataset, known_names(place))
    methods, models = identify_models(model, known_models(place))
    asked = Asked(name, plain(entry), methods, plain(settings or {}), explain, models)
    if is_users(place):
        check_users(place, asked)
        reproduce(place, [f"report@{asked.dataset}"])
    else:
        text = plan_run(place, asked)
        for remark in set_up(place, has_git=False, params=text).remarks:
            print(f"note: {remark}")
        write_text(place / "params.yaml", text)
        reproduce(place)
    return load_artifact(place / "reports" / f"{asked.dataset}.json", Report)


def _identify(
    dataset: str | Path | Mapping[str, Any], known: Sequence[str]
) -> tuple[str, Mapping[str, Any] | None]:
    """A dataset's name, and its entry where it is not the one that has this name."""
    if isinstance(dataset, Mapping):
        source = dataset.get("source")
        if not isinstance(source, Mapping):
            raise InputError(
                f"dataset = {dict(dataset)}: an entry has a `source`, such as "
                "{'source': {'kind': 'folder', 'path': '/photos'}}."
            )
        return name_of(source), {**dataset, "source": _absolute(source)}
    path = Path(dataset).expanduser()
    if isinstance(dataset, str) and (dataset in known or not path.exists()):
        if dataset not in known:
            raise InputError(unknown(dataset, known))
        return dataset, None
    path = path.resolve()
    named = path.parent if path.stem.lower() == "metadata" else path
    name = name_of({"path": str(named)})
    return name, guess_entry(name, path).entry


def _absolute(source: Mapping[str, Any]) -> Mapping[str, Any]:
    path = source.get("path")
    return source if not path else {**source, "path": absolute(path)}
