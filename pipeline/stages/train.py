"""Stage `train`: one method, every seed; in the processes that torchrun starts, or in one."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.dynamics import save_dynamics
from pipeline.artifacts.files import save_artifact, write_atomic, write_text
from pipeline.artifacts.not_trained import write_not_trained
from pipeline.artifacts.paths import data_folders, model_dir, scratch_dir
from pipeline.artifacts.plans import is_brought, read_plan
from pipeline.artifacts.provenance import make_provenance
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import learning_curves, mean_curves, metrics_json
from pipeline.core.errors import CannotTrainError
from pipeline.methods.on_disk import DiskRun
from pipeline.methods.recipe import Setup
from pipeline.methods.registry import bring
from pipeline.methods.setup import read_setup
from pipeline.models.hardware import choose_device
from pipeline.parallel.rank import joined_processes
from pipeline.records.data import DatasetInfo
from pipeline.records.training import NotTrained, TrainHistory
from pipeline.settings.plans.train import TrainPlan
from pipeline.train.sweep import training_metrics

_log = logging.getLogger(__name__)


def run(dataset: str, method: str) -> None:
    if is_brought(dataset, method):
        bring(dataset, method)
        return
    plan = read_plan(TrainPlan, "train", dataset, method)
    setup = read_setup(method, plan)
    with joined_processes(choose_device(plan.train.device)) as world:
        if world.is_first:
            # only one process locks and writes; the others meet it in the first training step
            with exclusive("train", dataset, method):
                _lead(dataset, setup, is_baseline=plan.is_baseline)
        else:
            logging.getLogger().setLevel(logging.WARNING)
            _follow(dataset, setup, is_baseline=plan.is_baseline)


def _lead(dataset: str, setup: Setup[Any], *, is_baseline: bool) -> None:
    out, run = model_dir(dataset, setup.name), DiskRun.of(dataset, setup)
    info = load_info(data_folders(dataset))  # first: what is refused here costs no finished history
    # a history says that all weights beside it are its own: no longer true from here on
    (out / "history.json").unlink(missing_ok=True)
    try:
        history, dynamics = run.train()
        save_dynamics(out / "dynamics.parquet", dynamics)
        _write(out, history, info, setup)
    except CannotTrainError as error:
        if is_baseline:  # there is nothing to report without it
            raise
        _log.warning("%s is not trained, and the report goes on without it: %s", setup.name, error)
        provenance = make_provenance(run.key, setup.train.seeds, data=info.digest)
        found = NotTrained(provenance=provenance, method=setup.name, not_trained=str(error))
        write_not_trained(found, "train", dataset, setup.name)
    shutil.rmtree(scratch_dir("train", dataset, setup.name), ignore_errors=True)


def _follow(dataset: str, setup: Setup[Any], *, is_baseline: bool) -> None:
    try:
        DiskRun.of(dataset, setup).train()
    except CannotTrainError:
        if is_baseline:
            raise


def _write(out: Path, history: TrainHistory, info: DatasetInfo, setup: Setup[Any]) -> None:
    curves, means = learning_curves(history, info), mean_curves([history])
    write_atomic(out / "curves.csv", lambda path: curves.to_csv(path, index=False))
    write_atomic(out / "mean_curves.csv", lambda path: means.to_csv(path, index=False))
    knows_groups = setup.method.selects_by_given_groups(setup.settings)
    metrics = training_metrics(history, info, knows_groups=knows_groups, min_val=setup.train.min_val)
    write_text(out / "metrics.json", metrics_json(metrics))
    save_artifact(out / "history.json", history)
