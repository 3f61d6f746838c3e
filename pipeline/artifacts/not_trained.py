"""The results of a method that these data do not allow to train: the reason, in the place of its results.

The same for a model that was trained elsewhere and one stage that can say nothing of it.

DVC stops everything at a stage that fails, and asks each stage for its files. A method that cannot be
trained therefore leaves them, empty beside one record with the reason, so that the others reach the report.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.files import find_foreign, fresh_dir, load_artifact, save_artifact, write_text
from pipeline.artifacts.outputs import stage_outputs
from pipeline.artifacts.paths import data_folders
from pipeline.artifacts.plans import is_brought, trains_own_network
from pipeline.artifacts.provenance import make_provenance
from pipeline.core.errors import CannotExplainError
from pipeline.records.training import NotTrained

_log = logging.getLogger(__name__)
_RECORDS = {
    "train": "history.json",
    "evaluate": "evaluation.json",
    "attribute": "attribution.json",
    "gradcam": "gradcam.json",
    "indicators": "indicators.json",
}


def why_not_trained(stage: str, dataset: str, method: str) -> str | None:
    """The reason that stands for a stage's result; None where there is a result, or nothing."""
    found = _find(stage, dataset, method)
    return None if found is None else found.not_trained


def write_not_trained(found: NotTrained, stage: str, dataset: str, method: str) -> None:
    """Save the reason and stand-ins for the stage's other outputs, replacing what was there."""
    for path, holds in stage_outputs(stage, dataset, method):
        if holds is not None:
            with fresh_dir(path, foreign=partial(find_foreign, holds=holds)):
                pass  # an empty folder
        elif path.name == _RECORDS[stage]:
            save_artifact(path, found)
        else:
            write_text(path, '{"trained": false}\n' if path.suffix == ".json" else "")


@contextmanager
def or_reason(stage: str, dataset: str, method: str) -> Iterator[None]:
    """Where a stage can say nothing of a network that was written elsewhere: the reason."""
    try:
        yield
    except CannotExplainError as error:
        if not (is_brought(dataset, method) or trains_own_network(dataset, method)):
            raise
        _log.warning("%s %s: no %s, and the report goes on without: %s", dataset, method, stage, error)
        provenance = make_provenance("", [0], data=load_info(data_folders(dataset)).digest)
        found = NotTrained(provenance=provenance, method=method, not_trained=str(error))
        write_not_trained(found, stage, dataset, method)


def pass_on(earlier: str, stage: str, dataset: str, method: str) -> bool:
    """Where stage `earlier` says that the method was not trained, leave the same for `stage`, and say so."""
    found = _find(earlier, dataset, method)
    if found is not None:
        write_not_trained(found, stage, dataset, method)
    return found is not None


def _find(stage: str, dataset: str, method: str) -> NotTrained | None:
    path = _record_path(stage, dataset, method)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # whoever reads the result says what is wrong with it
    is_reason = isinstance(raw, dict) and "not_trained" in raw
    return load_artifact(path, NotTrained) if is_reason else None


def _record_path(stage: str, dataset: str, method: str) -> Path:
    outputs = stage_outputs(stage, dataset, method)
    return next(path for path, _ in outputs if path.name == _RECORDS[stage])
