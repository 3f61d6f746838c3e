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
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.dynamics import load_dynamics, save_dynamics
from pipeline.artifacts.embeddings import EmbeddingCache
from pipeline.artifacts.files import load_artifact, save_artifact, write_atomic, write_text
from pipeline.artifacts.not_trained import write_not_trained
from pipeline.artifacts.params_file import read_params
from pipeline.artifacts.paths import dataset_dir, model_dir, scratch_dir
from pipeline.artifacts.provenance import file_digest, make_provenance, settings_hash
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
from pipeline.settings.methods import MethodName, needs_erm
from pipeline.settings.params import DatasetSettings
from pipeline.settings.train import TrainSettings
from pipeline.train.fitting import ErmBase, spec_of
from pipeline.train.loop import Outcome
from pipeline.train.plans import selects_by_given_groups
from pipeline.train.sweep import training_metrics

_log = logging.getLogger(__name__)


def run(dataset: str, method: MethodName) -> None:
    device = choose_device(read_params().dataset(dataset).train_for(method).device)
    with joined_processes(device) as world:
        if world.is_first:
            # only one process locks and writes; the others meet it in the first training step
            with exclusive("train", dataset, method):
                _run(dataset, method, world)
        else:
            logging.getLogger().setLevel(logging.WARNING)
            _run(dataset, method, world)


def _run(dataset: str, method: MethodName, world: World) -> None:
    params = read_params()
    settings, is_baseline = params.dataset(dataset), method == params.active_methods[0]
    data, out = dataset_dir(dataset), model_dir(dataset, method)
    digests = file_digest(data / "samples.parquet"), file_digest(data / "images.npy")
    key = _key(settings, method, digests)
    scratch = scratch_dir("train", dataset, method)
    if world.is_first:
        # a history says that all weights beside it are its own: no longer true from here on
        (out / "history.json").unlink(missing_ok=True)
    info = load_info(data)
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

    recipe = _recipe(settings, method, _erm_base(settings, dataset, digests))
    if method == "repair":
        device = choose_device(recipe.settings.device).type
        attributor = Attributor(settings.attribute, scratch / key / "attribution", device)
        recipe = replace(recipe, attribution=attributor)
    spec = spec_of(recipe.settings, info)
    workers = n_workers(recipe.settings, parameter_count(**spec))
    if workers > 1 and method != "dfr":  # which has ERM's networks
        ahead = partial(_train_ahead, dataset, method, settings, digests, scratch / key, workers)
        recipe = replace(recipe, ahead=ahead)
    provenance = make_provenance(key, settings.train_for(method).seeds, data=info.digest)
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
        if is_baseline:  # there is nothing to report without it
            raise
        if world.is_first:
            _log.warning("%s is not trained, and the report goes on without it: %s", method, error)
            found = NotTrained(provenance=provenance, method=method, not_trained=str(error))
            write_not_trained(found, "train", dataset, method)
            shutil.rmtree(scratch, ignore_errors=True)
        return
    if world.is_first:
        save_dynamics(out / "dynamics.parquet", dynamics)
        _write(out, history, info, settings)
        shutil.rmtree(scratch, ignore_errors=True)


def _train_ahead(
    dataset: str,
    method: MethodName,
    settings: DatasetSettings,
    digests: tuple[str, str],
    checkpoints: Path,
    workers: int,
    works: Sequence[Work],
) -> None:
    """Fill the checkpoints of several networks, each in a process of its own."""
    if len(works) == 1:  # trained where it is needed: a process would load everything anew
        return
    fan_out(
        _train_part,
        {work_name(work): (dataset, method, settings, digests, checkpoints, work) for work in works},
        folder=checkpoints / "done",
        workers=workers,
        label=f"{method}, {workers} at a time",
        unit="networks",
    )


def _train_part(
    dataset: str,
    method: MethodName,
    settings: DatasetSettings,
    digests: tuple[str, str],
    checkpoints: Path,
    work: Work,
) -> Arrays:
    """What one of these processes does; its result is the checkpoint."""
    logging.getLogger().setLevel(logging.WARNING)  # the waiting process tells how far all are
    data = dataset_dir(dataset)
    with suppress(CannotTrainError):  # the waiting process finds it again, and says it
        train_part(
            _recipe(settings, method, _erm_base(settings, dataset, digests)),
            work,
            train=load_split(data, "train"),
            val=load_split(data, "val"),
            info=load_info(data),
            store=CheckpointStore(checkpoints),
        )
    return {"is_done": np.array(True)}


def _write(out: Path, history: TrainHistory, info: DatasetInfo, settings: DatasetSettings) -> None:
    curves = learning_curves(history, info)
    write_atomic(out / "curves.csv", lambda path: curves.to_csv(path, index=False))
    means = mean_curves([history])
    write_atomic(out / "mean_curves.csv", lambda path: means.to_csv(path, index=False))
    metrics = training_metrics(
        history,
        info,
        knows_groups=selects_by_given_groups(getattr(settings.methods, history.method)),
        min_val=settings.train.min_val,
    )
    write_text(out / "metrics.json", metrics_json(metrics))
    save_artifact(out / "history.json", history)


def _recipe(settings: DatasetSettings, method: MethodName, erm: ErmBase) -> Recipe:
    return Recipe(
        name=method,
        method=getattr(settings.methods, method),
        settings=settings.train_for(method),
        erm=erm,
        first=settings.identification_settings() if method == "jtt" else None,
    )


def _erm_base(settings: DatasetSettings, dataset: str, digests: tuple[str, str]) -> ErmBase:
    data = settings_hash(*digests)
    return ErmBase(
        settings.train_for("erm"),
        settings.methods.erm,
        load=_trained_erm(dataset, _key(settings, "erm", digests)),
        embed=EmbeddingCache(scratch_dir("embeddings", dataset), data),
    )


def _key(settings: DatasetSettings, method: MethodName, digests: tuple[str, str]) -> str:
    """Hash of everything that decides a seed's result."""
    method_settings = getattr(settings.methods, method)
    parts = [_decisive(settings.train_for(method)), method_settings, *digests]
    if method == "jtt":
        parts.append(_decisive(settings.identification_settings()))
    if method == "repair":  # all seeds' models say which images do harm
        parts.append(settings.attribute)
        parts.append(str(settings.train_for("erm").seeds))
    if needs_erm(method_settings):
        parts.append(_key(settings, "erm", digests))
    return settings_hash(*parts)


def _decisive(settings: TrainSettings) -> TrainSettings:
    """Neither which other seeds are trained nor how often is saved decides a seed's result."""
    return settings.model_copy(update={"seeds": [], "checkpoint_seconds": 0.0, "workers": None})


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
