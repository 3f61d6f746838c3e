"""Train every seed of one method, resuming where a killed run stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from pipeline.core.errors import InputError
from pipeline.core.progress import Progress
from pipeline.core.results import DatasetInfo, Provenance, TrainHistory
from pipeline.core.settings import ErmSettings, GroupDroSettings, TrainSettings
from pipeline.core.types import Split
from pipeline.models.networks import Classifier, build_model
from pipeline.train.loop import Job, Outcome, steps_per_epoch, train_seed

_log = logging.getLogger(__name__)
SaveWeights = Callable[[int, dict[str, Tensor], dict[str, Any]], None]


class Store(Protocol):
    """Where checkpoints go; `artifacts.checkpoints.CheckpointStore` is one."""

    def save(self, name: str, state: dict[str, Any]) -> None: ...

    def load(self, name: str) -> dict[str, Any] | None: ...


def labels_used(method: ErmSettings | GroupDroSettings, origin: str) -> list[str]:
    """Which labels a method saw, in training and in selection, in words for the report."""
    groups = "group labels" if origin == "annotated" else "derived group labels"
    used = ["class labels (train)"]
    if isinstance(method, GroupDroSettings):
        used.append(f"{groups} (train)")
    if method.selection == "average":
        used.append("class labels (validation, selection)")
    elif method.selection == "worst_group":
        used.append(f"class and {groups} (validation, selection)")
    return used


def train_method(
    *,
    name: str,
    train: Split,
    val: Split,
    info: DatasetInfo,
    settings: TrainSettings,
    method: ErmSettings | GroupDroSettings,
    store: Store,
    save_weights: SaveWeights,
    provenance: Provenance,
) -> TrainHistory:
    """Train `settings.seeds` one after the other and hand each one's weights to `save_weights`.

    Raises:
        InputError: no class or a single one, an empty validation split, an empty group (group DRO).
        TrainingError: the loss is not finite.
    """
    _check(train, val, info)
    outcomes: dict[int, Outcome] = {}
    n_parameters = 0
    for seed in settings.seeds:
        model = build_model(
            settings.model,
            n_classes=len(info.classes),
            width=settings.width,
            stem_stride=settings.stem_stride,
            image_size=info.image_size,
            pretrained=settings.pretrained,
            mean=info.channel_mean,
            std=info.channel_std,
            seed=seed,
        )
        n_parameters = sum(p.numel() for p in model.parameters())
        job = Job(settings, method, seed, [g.name for g in info.groups], [g.n_train for g in info.groups])
        outcomes[seed] = _train_or_resume(model, train, val, job, store, f"{name} seed {seed}")
        spec = {
            "name": settings.model,
            "n_classes": len(info.classes),
            "width": settings.width,
            "stem_stride": settings.stem_stride,
            "image_size": info.image_size,
        }
        save_weights(seed, outcomes[seed].weights, spec)
    epochs = [record for outcome in outcomes.values() for record in outcome.history]
    return TrainHistory(
        provenance=provenance,
        method=name,
        labels_used=labels_used(method, info.attributes[0].origin),
        model=settings.model,
        n_parameters=n_parameters,
        precision=next(iter(outcomes.values())).precision,
        device=settings.device,
        selection=method.selection,
        selected_epoch={str(seed): outcome.selected_epoch for seed, outcome in outcomes.items()},
        epochs=epochs,
        seconds=sum(record.seconds for record in epochs),  # also those before a kill
    )


def _train_or_resume(
    model: Classifier, train: Split, val: Split, job: Job, store: Store, label: str
) -> Outcome:
    """One seed, from its last checkpoint where there is one, with progress and a closing line."""
    key = f"seed_{job.seed}"
    resume = store.load(key)
    if resume is not None:
        _log.info("%s: going on from epoch %d, step %d", label, resume["epoch"], resume["step"])
    total = job.settings.epochs * steps_per_epoch(len(train), job.settings.batch_size)
    with Progress(label, total=total, unit="steps") as progress:
        outcome = train_seed(
            model,
            train,
            val,
            job,
            resume=resume,
            save=lambda state: store.save(key, state),
            tick=progress.update,
        )
    chosen = outcome.history[outcome.selected_epoch]
    worst = "-" if chosen.val_worst is None else f"{chosen.val_worst:.3f}"
    _log.info(
        "%s: epoch %d selected, validation average %.3f, worst group %s",
        label, chosen.epoch, chosen.val_average, worst,
    )  # fmt: skip
    return outcome


def _check(train: Split, val: Split, info: DatasetInfo) -> None:
    if len(np.unique(train.labels)) < 2:
        raise InputError(
            f"{info.name}: training needs images of at least 2 classes, "
            f"there are {len(np.unique(train.labels))}."
        )
    if len(val) == 0:
        raise InputError(f"{info.name}: there are no validation images to select on; see data.val_fraction.")
