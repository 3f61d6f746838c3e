"""Train one network of one seed, resuming where a killed run stopped; what every method is made of.

A method may train more than one network (`jtt`, `repair`) or start from ERM's (`dfr`, inferred groups): each
has a checkpoint of its own, so a run that is killed goes on in the network it was at.

Shape legend: N training images, V validation images, J columns of target weights, D dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from pipeline.core.progress import Progress
from pipeline.core.types import Float32Array, Float64Array, Split
from pipeline.models.embed import embed_split
from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.models.regularization import regularize
from pipeline.parallel.rank import current_world
from pipeline.records.data import DatasetInfo
from pipeline.settings.methods import ErmSettings
from pipeline.settings.parsing import parse
from pipeline.settings.train import TrainSettings
from pipeline.train.batches import steps_per_epoch
from pipeline.train.loop import Job, Outcome, train_seed
from pipeline.train.plans import Groups, Plan, make_plan

_log = logging.getLogger(__name__)


class Store(Protocol):
    """Where checkpoints go; `artifacts.checkpoints.CheckpointStore` is one."""

    def save(self, name: str, state: dict[str, Any]) -> None: ...

    def load(self, name: str) -> dict[str, Any] | None: ...


class Attribution(Protocol):
    """How training images act on validation images; `attribution.effects.Attributor` is one."""

    def effects(
        self, models: Sequence[Classifier], train: Split, targets: Split, weights_VJ: Float64Array
    ) -> Float64Array:
        """N x J: on weighted sums of the targets' margins; positive = the training image helps."""

    def vectors(self, models: Sequence[Classifier], train: Split, targets: Split) -> Float64Array:
        """V x D: close together for targets that the same training images help and harm."""


@dataclass(frozen=True)
class ErmBase:
    """How to get the ERM model that some methods start from, and its embeddings.

    `load` returns what ERM with these settings and these data has left for a seed, or None. It is
    only a short cut: without it the same model is trained here, bit for bit on the same machine.
    """

    settings: TrainSettings
    method: ErmSettings
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
    erm: ErmBase

    @property
    def groups(self) -> Groups:
        """The dataset's own groups."""
        return Groups(self.train.groups, self.val.groups, [g.name for g in self.info.groups])

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
                Job(settings, plan, self.seed, len(self.info.groups)),
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

    def fit_erm(self) -> Outcome:
        """The ERM model of this seed: the one that `ErmBase.load` finds, or trained here."""
        world = current_world()
        found = world.share(self.erm.load(self.seed) if world.is_first else None)
        if found is not None:
            _log.info("%s seed %d: starts from the trained ERM model", self.name, self.seed)
            assert isinstance(found, Outcome)
            return found
        plan = make_plan(self.erm.method, self.train, self.groups, batch_size=self.erm.settings.batch_size)
        return self.fit(plan, settings=self.erm.settings, part="erm")

    def fit_short_erm(self, epochs: int) -> Outcome:
        """ERM's network after a schedule of so many epochs; no epoch is selected.

        Raises:
            InputError: ERM's training settings do not allow so few epochs.
        """
        shorter = self.erm.settings.model_dump() | {"epochs": epochs, "patience": None, "checkpoints": 0}
        settings = parse(TrainSettings, shorter, "methods.erm.train, with inference_epochs")
        method = self.erm.method.model_copy(update={"selection": "last"})
        plan = make_plan(method, self.train, self.groups, batch_size=settings.batch_size)
        return self.fit(plan, settings=settings, part="short_erm")

    def network(self, settings: TrainSettings, weights: dict[str, Tensor] | None = None) -> Classifier:
        """The network of `settings`, with this seed's first weights or with `weights`, on the device."""
        return network_of(settings, self.info, self.seed, weights)

    def spec(self, settings: TrainSettings) -> dict[str, Any]:
        """The arguments that rebuild the network around saved weights."""
        return spec_of(settings, self.info)


def network_of(
    settings: TrainSettings, info: DatasetInfo, seed: int, weights: dict[str, Tensor] | None = None
) -> Classifier:
    """The network of `settings`, with a seed's first weights or with `weights`, on the device."""
    model = build_model(
        **spec_of(settings, info),
        pretrained=settings.pretrained,
        mean=info.channel_mean,
        std=info.channel_std,
        seed=seed,
    )
    regularize(model, dropout=settings.dropout, stochastic_depth=settings.stochastic_depth)
    if weights is not None:
        model.load_state_dict(weights)
    return model.to(choose_device(settings.device)).eval()


def spec_of(settings: TrainSettings, info: DatasetInfo) -> dict[str, Any]:
    """The arguments that rebuild a network around saved weights."""
    return {
        "name": settings.model,
        "n_classes": len(info.classes),
        "width": settings.width,
        "stem_stride": settings.stem_stride,
        "image_size": info.image_size,
    }
