"""Stage `train`: one method, every seed; in the processes that torchrun starts, or in one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.arrays import Arrays
from pipeline.artifacts.checkpoints import CheckpointStore, load_weights, save_weights, weights_path
from pipeline.artifacts.datasets import digest_files, load_info, load_split
from pipeline.artifacts.dynamics import load_dynamics, save_dynamics
from pipeline.artifacts.embeddings import EmbeddingCache
from pipeline.artifacts.files import load_artifact, save_artifact, write_atomic, write_text
from pipeline.artifacts.not_trained import write_not_trained
from pipeline.artifacts.paths import data_folders, model_dir, scratch_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive, locked
from pipeline.artifacts.tables import learning_curves, mean_curves, metrics_json
from pipeline.attribution.effects import Attributor
from pipeline.core.errors import ArtifactError, CannotTrainError
from pipeline.core.types import Dynamics
from pipeline.methods.run import Recipe, train_method, train_part
from pipeline.methods.side_by_side import Work, n_workers, one_thread, work_name
from pipeline.models.hardware import choose_device
from pipeline.models.registry import parameter_count
from pipeline.parallel.fan_out import fan_out
from pipeline.parallel.rank import World, joined_processes
from pipeline.records.data import DatasetInfo
from pipeline.records.training import NotTrained, TrainHistory
from pipeline.settings.attribution import AttributeSettings
from pipeline.settings.methods import METHOD_SETTINGS, ErmSettings, MethodName
from pipeline.settings.plans.train import NetworkPlan, TrainPlan
from pipeline.settings.train import TrainSettings
from pipeline.train.fitting import ErmBase, spec_of
from pipeline.train.loop import Outcome
from pipeline.train.plans import selects_by_given_groups
from pipeline.train.sweep import training_metrics

_log = logging.getLogger(__name__)


def run(dataset: str, method: MethodName) -> None:
    plan = read_plan(TrainPlan, "train", dataset, method)
    device = choose_device(plan.train.device)
    with joined_processes(device) as world:
        if world.is_first:
            # only one process locks and writes; the others meet it in the first training step
            with exclusive("train", dataset, method):
                _run(dataset, method, plan, world)
        else:
            logging.getLogger().setLevel(logging.WARNING)
            _run(dataset, method, plan, world)


def _run(dataset: str, method: MethodName, plan: TrainPlan, world: World) -> None:
    data, out = data_folders(dataset), model_dir(dataset, method)
    info, digests = load_info(data), digest_files(data)
    key = _key(plan, digests)
    scratch = scratch_dir("train", dataset, method)
    if world.is_first:
        # a history says that all weights beside it are its own: no longer true from here on
        (out / "history.json").unlink(missing_ok=True)
    folder = out / "weights"

    dynamics: dict[int, Dynamics] = {}

    def save(seed: int, outcome: Outcome, spec: dict[str, Any], control: str = "") -> None:
        if world.is_first:
            save_weights(weights_path(folder, seed, control=control), outcome.weights, spec)
            for epoch, weights in outcome.snapshots.items():
                path = weights_path(folder, seed, epoch=epoch, control=control)
                save_weights(path, weights, spec)
        if outcome.dynamics is not None and not control:
            dynamics[seed] = outcome.dynamics

    recipe = _recipe(plan, method, dataset, digests)
    if method == "repair":
        device = choose_device(recipe.settings.device).type
        choosing = AttributeSettings.model_validate(plan.attribute)
        attributor = Attributor(choosing, scratch / key / "attribution", device)
        recipe = replace(recipe, attribution=attributor)
    spec = spec_of(recipe.settings, info)
    workers = n_workers(recipe.settings, parameter_count(**spec))
    if workers > 1 and method != "dfr":  # which has ERM's networks
        ahead = partial(_train_ahead, dataset, method, plan, digests, scratch / key, workers)
        recipe = replace(recipe, ahead=ahead)
    provenance = make_provenance(key, plan.train.seeds, data=info.digest)
    try:
        with one_thread() if workers > 1 else nullcontext():
            history = train_method(
                recipe,
                train=load_split(data, "train"),
                val=load_split(data, "val"),
                info=info,
                store=CheckpointStore(scratch / key),
                save_seed=save,
                provenance=provenance,
            )
    except CannotTrainError as error:
        if plan.is_baseline:  # there is nothing to report without it
            raise
        if world.is_first:
            _log.warning("%s is not trained, and the report goes on without it: %s", method, error)
            found = NotTrained(provenance=provenance, method=method, not_trained=str(error))
            write_not_trained(found, "train", dataset, method)
            shutil.rmtree(scratch, ignore_errors=True)
        return
    if world.is_first:
        save_dynamics(out / "dynamics.parquet", dynamics)
        _write(out, history, info, recipe)
        shutil.rmtree(scratch, ignore_errors=True)


def _train_ahead(
    dataset: str,
    method: MethodName,
    plan: TrainPlan,
    digests: tuple[str, ...],
    checkpoints: Path,
    workers: int,
    works: Sequence[Work],
) -> None:
    """Fill the checkpoints of several networks, each in a process of its own."""
    if len(works) == 1:  # trained where it is needed: a process would load everything anew
        return
    fan_out(
        _train_part,
        {work_name(work): (dataset, method, plan, digests, checkpoints, work) for work in works},
        folder=checkpoints / "done",
        workers=workers,
        label=f"{method}, {workers} at a time",
        unit="networks",
    )


def _train_part(
    dataset: str,
    method: MethodName,
    plan: TrainPlan,
    digests: tuple[str, ...],
    checkpoints: Path,
    work: Work,
) -> Arrays:
    """What one of these processes does; its result is the checkpoint."""
    logging.getLogger().setLevel(logging.WARNING)  # the waiting process tells how far all are
    data = data_folders(dataset)
    with suppress(CannotTrainError):  # the waiting process finds it again, and says it
        train_part(
            _recipe(plan, method, dataset, digests),
            work,
            train=load_split(data, "train"),
            val=load_split(data, "val"),
            info=load_info(data),
            store=CheckpointStore(checkpoints),
        )
    return {"is_done": np.array(True)}


def _write(out: Path, history: TrainHistory, info: DatasetInfo, recipe: Recipe) -> None:
    curves = learning_curves(history, info)
    write_atomic(out / "curves.csv", lambda path: curves.to_csv(path, index=False))
    means = mean_curves([history])
    write_atomic(out / "mean_curves.csv", lambda path: means.to_csv(path, index=False))
    metrics = training_metrics(
        history,
        info,
        knows_groups=selects_by_given_groups(recipe.method),
        min_val=recipe.settings.min_val,
    )
    write_text(out / "metrics.json", metrics_json(metrics))
    save_artifact(out / "history.json", history)


def _recipe(plan: TrainPlan, method: MethodName, dataset: str, digests: tuple[str, ...]) -> Recipe:
    return Recipe(
        name=method,
        method=METHOD_SETTINGS[method].model_validate(plan.method),
        settings=plan.train,
        erm=_erm_base(plan, dataset, digests),
        first=plan.first,
    )


def _erm_base(plan: TrainPlan, dataset: str, digests: tuple[str, ...]) -> ErmBase:
    erm = plan.erm
    if erm is None:  # nobody asks for it
        return ErmBase(plan.train, ErmSettings(selection="last"))
    return ErmBase(
        erm.train,
        ErmSettings.model_validate(erm.method),
        load=_trained_erm(dataset, _key(erm, digests)),
        embed=EmbeddingCache(scratch_dir("embeddings", dataset), settings_hash(*digests)),
    )


def _key(plan: NetworkPlan, digests: tuple[str, ...]) -> str:
    """Hash of everything that decides a seed's result. Which other seeds are trained does not."""
    parts: list[Any] = [_one_seed(plan.train), plan.method, *digests]
    if isinstance(plan, TrainPlan):
        parts += [_one_seed(plan.first)] if plan.first else []
        if plan.attribute is not None:  # of all seeds' models: they say which images do harm
            parts += [plan.attribute, str(plan.train.seeds)]
        parts += [_key(plan.erm, digests)] if plan.erm else []
    return settings_hash(*parts)


def _one_seed(settings: TrainSettings) -> TrainSettings:
    return settings.model_copy(update={"seeds": []})


def _trained_erm(dataset: str, key: str) -> Callable[[int], Outcome | None]:
    """Loader of the ERM model of a seed, where ERM of exactly these settings and data lies finished.

    DVC must not know of it: methods do not depend on each other, and without ERM's outputs the same
    model is trained, bit for bit. ERM's lock is held, so that no half-written model is read.
    """
    folder = model_dir(dataset, "erm")

    def load(seed: int) -> Outcome | None:
        with locked("train", dataset, "erm"):
            try:
                history = load_artifact(folder / "history.json", TrainHistory)
                expected = make_provenance(key)
                if (
                    history.provenance.params_hash != key
                    or history.provenance.versions != expected.versions
                    or str(seed) not in history.selected_epoch
                ):
                    return None
                weights = load_weights(weights_path(folder / "weights", seed)).state_dict()
                dynamics = load_dynamics(folder / "dynamics.parquet")[seed]
            except (ArtifactError, KeyError):
                return None
        epochs = [record for record in history.epochs if record.seed == seed]
        dynamics = replace(dynamics, reason=history.no_aum_reason)
        return Outcome(
            weights, history.selected_epoch[str(seed)], epochs, history.precision, dynamics=dynamics
        )

    return load
