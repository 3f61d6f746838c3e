"""One method trained from packed data to weights on disk; a killed run of the same settings goes on.

Small networks are trained side by side, in processes with one thread each: threads gain little on them, and a
process per core gains what cores there are. The processes train into the checkpoints that the method then
goes on from, so a method knows nothing of them: it finds its networks trained. One thread everywhere also
makes results the same on machines with few and many cores.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.artifacts.arrays import Arrays
from pipeline.artifacts.checkpoints import CheckpointStore, load_weights, save_weights, weights_path
from pipeline.artifacts.datasets import digest_files, load_info, load_split
from pipeline.artifacts.dynamics import load_dynamics
from pipeline.artifacts.embeddings import EmbeddingCache
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.paths import data_folders, model_dir, scratch_dir
from pipeline.artifacts.plans import read_code
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import locked
from pipeline.core.errors import ArtifactError, CannotTrainError
from pipeline.core.memory import available_cores
from pipeline.core.types import Dynamics
from pipeline.methods.recipe import Recipe, Setup, Work
from pipeline.methods.run import make_base, train_method, train_part
from pipeline.methods.setup import training_key
from pipeline.models.hardware import choose_device
from pipeline.parallel.fan_out import fan_out
from pipeline.parallel.rank import current_world
from pipeline.records.training import TrainHistory
from pipeline.settings.train import TrainSettings
from pipeline.train.loop import Outcome
from pipeline.train.networks import count_parameters

FEW_PARAMETERS = 200_000  # one thread was as fast as two for 103,434 (32 px, batches of 64)


@dataclass(frozen=True)
class DiskRun:
    """One method on one dataset, as the processes that train parts of it are told."""

    dataset: str
    setup: Setup[Any]
    digests: tuple[str, ...]

    @classmethod
    def of(cls, dataset: str, setup: Setup[Any]) -> DiskRun:
        return cls(dataset, setup, digest_files(data_folders(dataset)))

    @property
    def key(self) -> str:
        return self._key_of(self.setup)

    def _key_of(self, setup: Setup[Any]) -> str:
        """Of one of its methods: another code's models and checkpoints have another key."""
        return training_key(setup, *self.digests, read_code("train", self.dataset, setup.name))

    @property
    def checkpoints(self) -> Path:
        return scratch_dir("train", self.dataset, self.setup.name) / self.key

    def recipe(self) -> Recipe[Any]:
        """The setup, with the base's finished models and embeddings where they lie."""
        setup = self.setup.base
        if setup is None:
            return Recipe(self.setup, work_dir=self.checkpoints)
        base = make_base(
            setup,
            load=_finished(self.dataset, setup.name, self._key_of(setup)),
            embed=EmbeddingCache(
                scratch_dir("embeddings", self.dataset),
                settings_hash(*self.digests, read_code("train", self.dataset, setup.name)),
            ),
        )
        return Recipe(self.setup, base, work_dir=self.checkpoints)

    def train(self) -> tuple[TrainHistory, dict[int, Dynamics]]:
        """Train every seed; the first process saves the weights.

        Returns:
            the history, and how each seed's training images were learned.

        Raises:
            InputError, TrainingError: as `train_method`.
        """
        data = data_folders(self.dataset)
        info = load_info(data)
        recipe, settings = self.recipe(), self.setup.train
        workers = n_workers(settings, count_parameters(settings, info.classes, info.image_size))
        if workers > 1 and self.setup.method.is_side_by_side:
            recipe = replace(recipe, ahead=_Ahead(self, workers))
        saved = _Saved(model_dir(self.dataset, self.setup.name) / "weights")
        with one_thread() if workers > 1 else contextlib.nullcontext():
            history = train_method(
                recipe,
                train=load_split(data, "train"),
                val=load_split(data, "val"),
                info=info,
                store=CheckpointStore(self.checkpoints),
                save_seed=saved,
                provenance=make_provenance(self.key, settings.seeds, data=info.digest),
            )
        return history, saved.dynamics


class _Saved:
    """Saves the weights of a seed as soon as it is trained."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dynamics: dict[int, Dynamics] = {}

    def __call__(self, seed: int, outcome: Outcome, spec: dict[str, Any], control: str = "") -> None:
        if current_world().is_first:
            save_weights(weights_path(self.folder, seed, control=control), outcome.weights, spec)
            for epoch, weights in outcome.snapshots.items():
                path = weights_path(self.folder, seed, epoch=epoch, control=control)
                save_weights(path, weights, spec)
        if outcome.dynamics is not None and not control:
            self.dynamics[seed] = outcome.dynamics


@dataclass(frozen=True)
class _Ahead:
    """Fills the checkpoints of several networks, each in a process of its own."""

    run: DiskRun
    workers: int

    def __call__(self, works: Sequence[Work]) -> None:
        if len(works) == 1:  # trained where it is needed: a process would load everything anew
            return
        fan_out(
            _train_part,
            {work.name: (self.run, work) for work in works},
            folder=self.run.checkpoints / "done",
            workers=self.workers,
            label=f"{self.run.setup.name}, {self.workers} at a time",
            unit="networks",
        )


def _train_part(run: DiskRun, work: Work) -> Arrays:
    """What one of these processes does; its result is the checkpoint."""
    logging.getLogger().setLevel(logging.WARNING)  # the waiting process tells how far all are
    data = data_folders(run.dataset)
    with contextlib.suppress(CannotTrainError):  # the waiting process finds it again, and says it
        train_part(
            run.recipe(),
            work,
            train=load_split(data, "train"),
            val=load_split(data, "val"),
            info=load_info(data),
            store=CheckpointStore(run.checkpoints),
        )
    return {"is_done": np.array(True)}


def _finished(dataset: str, method: str, key: str) -> Callable[[int], Outcome | None]:
    """Loader of a seed's model, where the method lies finished with exactly this key.

    DVC must not know of it: methods do not depend on each other, and without its outputs the same
    model is trained, bit for bit. The method's lock is held, so that no half-written model is read.
    """
    folder = model_dir(dataset, method)

    def load(seed: int) -> Outcome | None:
        with locked("train", dataset, method):
            try:
                history = load_artifact(folder / "history.json", TrainHistory)
                if history.provenance.params_hash != key or str(seed) not in history.selected_epoch:
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


def n_workers(settings: TrainSettings, n_parameters: int) -> int:
    """Processes to train in; 1 = one network at a time, here, with all threads."""
    if choose_device(settings.device).type != "cpu" or current_world().size > 1:
        return 1
    if settings.workers is not None:
        return settings.workers
    return max(2, available_cores()) if n_parameters <= FEW_PARAMETERS else 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """What is computed from networks here adds up in the same order as in the processes that trained them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
