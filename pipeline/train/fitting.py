"""Train one network of one seed, resuming where a killed run stopped; what every method is made of.

A method may train more than one network, or start from another method's: each has a checkpoint of its own,
so a run that is killed goes on in the network it was at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from pipeline.core.progress import Progress
from pipeline.core.types import Float32Array, Split
from pipeline.models.embed import embed_split
from pipeline.models.interface import Classifier
from pipeline.parallel.rank import current_world
from pipeline.records.data import DatasetInfo
from pipeline.settings.methods import NetworkSettings
from pipeline.settings.parsing import parse
from pipeline.settings.train import TrainSettings
from pipeline.statistics.dynamics.conflicting import Conflict, find_conflict
from pipeline.train.batches import steps_per_epoch
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, Outcome, train_seed
from pipeline.train.networks import network_of, spec_of
from pipeline.train.plans import Plan

_log = logging.getLogger(__name__)


class Store(Protocol):
    """Where checkpoints go; `artifacts.checkpoints.CheckpointStore` is one."""

    def save(self, name: str, state: dict[str, Any]) -> None: ...

    def load(self, name: str) -> dict[str, Any] | None: ...


class MakePlan(Protocol):
    """How a method draws images; `methods.method.NetworkMethod.plan` is one."""

    def __call__(self, settings: Any, train: Split, groups: Groups, *, batch_size: int) -> Plan: ...


@dataclass(frozen=True)
class Base:
    """How to get the model that some methods start from, and its embeddings.

    `load` returns what training with these settings and these data has left for a seed, or None. It is
    only a short cut: without it the same model is trained here, bit for bit on the same machine.
    """

    name: str  # of its method
    label: str  # of its method, as people write it
    settings: TrainSettings
    method: NetworkSettings
    make_plan: MakePlan
    load: Callable[[int], Outcome | None] = lambda seed: None
    embed: Callable[[Classifier, Split], Float32Array] = embed_split  # or one that remembers


@dataclass(frozen=True)
class SeedRun:
    """One seed of one method: its data, its settings, and where its checkpoints go."""

    name: str
    train: Split
    val: Split
    info: DatasetInfo
    settings: TrainSettings
    seed: int
    store: Store
    given_base: Base | None = None

    @property
    def base(self) -> Base:
        """The model that the method starts from."""
        assert self.given_base is not None, f"{self.name} starts from no other model"
        return self.given_base

    @property
    def groups(self) -> Groups:
        """The dataset's own groups."""
        return Groups(self.train.groups, self.val.groups, [g.name for g in self.info.groups])

    @property
    def conflict(self) -> Conflict | None:
        """Validation images whose attribute speaks for another class; None where none is annotated."""
        info = self.info
        if not info.attributes or info.attributes[0].origin != "annotated":
            return None
        return find_conflict(
            (self.train.labels, self.train.attributes),
            (self.val.labels, self.val.attributes),
            label_of_K=np.asarray(info.class_to_group_label),
        )

    def fit(self, plan: Plan, *, settings: TrainSettings | None = None, part: str = "") -> Outcome:
        """Train a network, from its last checkpoint where there is one.

        Args:
            settings: where they are not the method's.
            part: what this network is to the method, "" for the one that is its result.
        """
        settings = settings or self.settings
        key = "_".join(filter(None, [f"seed_{self.seed}", part]))
        label = " ".join(filter(None, [self.name, f"seed {self.seed}", part]))
        resume = self.store.load(key)
        goes_on = resume is not None and resume["epoch"] < settings.epochs
        if resume is not None and goes_on:
            _log.info("%s: going on from epoch %d, step %d", label, resume["epoch"], resume["step"])
        total = settings.epochs * steps_per_epoch(plan.n_per_epoch, settings.batch_size)
        with Progress(label, total=total, unit="steps") as progress:
            outcome = train_seed(
                self.network(settings),
                self.train,
                self.val,
                Job(settings, plan, self.seed, len(self.info.groups), self.conflict),
                resume=resume,
                save=lambda state: self.store.save(key, state),
                tick=progress.update,
            )
        if goes_on:
            _log.info("%s: went on and computed %d of %d steps", label, outcome.n_computed, total)
        chosen = outcome.history[outcome.selected_epoch]
        worst = "-" if chosen.val_worst is None else f"{chosen.val_worst:.3f}"
        _log.info(
            "%s: epoch %d selected, validation average %.3f, worst group %s",
            label, chosen.epoch, chosen.val_average, worst,
        )  # fmt: skip
        return outcome

    def fit_base(self) -> Outcome:
        """The base model of this seed: the one that `Base.load` finds, or trained here."""
        world, base = current_world(), self.base
        found = world.share(base.load(self.seed) if world.is_first else None)
        if found is not None:
            _log.info("%s seed %d: starts from the trained %s model", self.name, self.seed, base.label)
            assert isinstance(found, Outcome)
            return found
        plan = base.make_plan(base.method, self.train, self.groups, batch_size=base.settings.batch_size)
        return self.fit(plan, settings=base.settings, part=base.name)

    def fit_short_base(self, epochs: int) -> Outcome:
        """The base's network after a schedule of so many epochs; no epoch is selected.

        Raises:
            InputError: the base's training settings do not allow so few epochs.
        """
        base = self.base
        shorter = base.settings.model_dump() | {"epochs": epochs, "patience": None, "checkpoints": 0}
        settings = parse(TrainSettings, shorter, f"methods.{base.name}.train, with inference_epochs")
        method = base.method.model_copy(update={"selection": "last"})
        plan = base.make_plan(method, self.train, self.groups, batch_size=settings.batch_size)
        return self.fit(plan, settings=settings, part=f"short_{base.name}")

    def network(self, settings: TrainSettings, weights: dict[str, Tensor] | None = None) -> Classifier:
        """The network of `settings`, with this seed's first weights or with `weights`, on the device."""
        return network_of(settings, self.info, self.seed, weights)

    def spec(self, settings: TrainSettings) -> dict[str, Any]:
        """The arguments that rebuild the network around saved weights."""
        return spec_of(settings, self.info)
