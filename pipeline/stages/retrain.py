"""Stage `retrain`: the method trained on parts of the images, to check what attribution foretells.

It reads no attribution: what is checked cannot leak into the check.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.datasets import digest_files, load_split
from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.paths import data_folders, retrained_dir, scratch_dir
from pipeline.artifacts.plans import read_code, read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.retrained import RetrainedMargins, save_retrained
from pipeline.artifacts.running import exclusive
from pipeline.methods.recipe import Setup
from pipeline.methods.retraining_asked import Retrained, why_not
from pipeline.methods.setup import read_setup, training_key
from pipeline.methods.workers_ahead import begin_training_workers
from pipeline.records.retraining import RetrainResult
from pipeline.settings.plans.retrain import RetrainPlan
from pipeline.settings.retrain import RetrainSettings

_log = logging.getLogger(__name__)


def run(dataset: str, method: str) -> None:
    out, data = retrained_dir(dataset, method), data_folders(dataset)
    with exclusive("retrain", dataset, method):
        plan = read_plan(RetrainPlan, "retrain", dataset, method)
        if plan.is_brought:
            _write_none(dataset, method, plan.retrain)
            return
        setup, chosen = read_setup(method, plan), plan.retrain
        work_dir = _work_dir(dataset, setup, chosen)
        train, test = load_split(data, "train"), load_split(data, "test")
        found = _retrain(dataset, setup, chosen, work_dir, n_test=len(test))
        save_retrained(out / "margins.npz", RetrainedMargins(test.ids, found.margins_MT))
        seeds = sorted({training.seed for training in found.trainings})
        result = RetrainResult(
            provenance=make_provenance(work_dir.name, seeds, data=test.digest),
            method=method,
            asked=found.reason is None,
            reason=found.reason,
            share=chosen.share,
            seed=chosen.seed,
            n_train=len(train),
            trainings=found.trainings,
        )
        save_artifact(out / "retrained.json", result)
        shutil.rmtree(work_dir.parent, ignore_errors=True)
    trained = f"trained {len(found.trainings)} times on parts of the images"
    _log.info("%s %s: %s", dataset, method, found.reason or trained)


def _retrain(
    dataset: str, setup: Setup[Any], chosen: RetrainSettings, folder: Path, *, n_test: int
) -> Retrained:
    reason = why_not(setup, chosen)
    if reason is not None:
        return Retrained([], np.zeros((0, n_test), np.float32), reason)
    begin_training_workers(setup.name)
    from pipeline.methods.retraining import retrain_parts  # late: it loads torch, as the workers do meanwhile

    return retrain_parts(dataset, setup, chosen, folder)


def _write_none(dataset: str, method: str, chosen: RetrainSettings) -> None:
    """Of a model that was trained elsewhere: nobody here knows how to train it again."""
    out, data = retrained_dir(dataset, method), data_folders(dataset)
    train, test = load_split(data, "train"), load_split(data, "test")
    save_retrained(out / "margins.npz", RetrainedMargins(test.ids, np.zeros((0, len(test)), np.float32)))
    result = RetrainResult(
        provenance=make_provenance(settings_hash(chosen), [0], data=test.digest),
        method=method,
        asked=False,
        reason=f"{method} was trained elsewhere, so that it cannot be trained again on parts of the images "
        f"(train.model: models.{method} lets methods train its network, where it is one)",
        share=chosen.share,
        seed=chosen.seed,
        n_train=len(train),
        trainings=[],
    )
    save_artifact(out / "retrained.json", result)


def _work_dir(dataset: str, setup: Setup[Any], chosen: RetrainSettings) -> Path:
    """Where a killed run of the same settings, data and code goes on; its name is their hash."""
    data, code = digest_files(data_folders(dataset)), read_code("retrain", dataset, setup.name)
    key = training_key(setup, *data, f"{chosen.share} {chosen.seed}", code)
    return scratch_dir("retrain", dataset, setup.name) / key
