"""Train every seed of one method, and what is known of it before."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pipeline.core.errors import CannotExplainError, CannotTrainError, InputError
from pipeline.core.types import Split
from pipeline.methods.method import KnownLabels, NetworkMethod
from pipeline.methods.recipe import Recipe, SaveSeed, Setup, Work
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo, GroupInfo
from pipeline.records.training import TrainHistory
from pipeline.settings.train import TrainSettings
from pipeline.train.fitting import Base, SeedRun, Store
from pipeline.train.groups import Groups
from pipeline.train.networks import introduce_network

_log = logging.getLogger(__name__)

GIVEN = {
    "annotated": "group labels",
    "cue": "groups of a found cue",
    "inferred": "inferred groups",
    "none": "classes as groups",
}


def train_method(
    recipe: Recipe[Any],
    *,
    train: Split,
    val: Split,
    info: DatasetInfo,
    store: Store,
    save_seed: SaveSeed,
    provenance: Provenance,
) -> TrainHistory:
    """Train all seeds one after the other and hand each one's result to `save_seed`.

    Raises:
        InputError: no class or a single one, an empty validation split, or groups without the images
            that the method needs.
        TrainingError: the loss is not finite.
    """
    _check(train, val, info)
    setup, settings = recipe.setup, recipe.setup.train
    run = SeedRun(setup.name, train, val, info, settings, settings.seeds[0], store, recipe.base)
    notes = _introduce(setup, info)
    with _needs_features(setup.name):
        found = setup.method.train_all(run, recipe, save_seed)
    trained = found.seeds
    epochs = [record for result in trained.values() for record in result.outcome.history]
    first = trained[settings.seeds[0]].outcome
    return TrainHistory(
        provenance=provenance,
        method=setup.name,
        labels_used=labels_used(setup, info.attributes[0].origin),
        model=settings.model,
        n_parameters=sum(p.numel() for p in run.network(settings).parameters()),
        precision=first.precision,
        device=settings.device,
        selection=setup.selection,
        selected_epoch={str(seed): result.outcome.selected_epoch for seed, result in trained.items()},
        epochs=epochs,
        # also those before a kill
        seconds=sum(record.seconds for record in epochs) + found.search_seconds,
        group_inference=[r.inference for r in trained.values() if r.inference is not None],
        last_layers=[r.last_layer for r in trained.values() if r.last_layer is not None],
        checkpoints={str(s): sorted(r.outcome.snapshots) for s, r in trained.items() if r.outcome.snapshots},
        no_aum_reason=None if first.dynamics is None else first.dynamics.reason,
        removal=found.removal,
        trained_on_val=setup.method.trains_on_val(setup.settings),
        notes=notes,
    )


def train_part(
    recipe: Recipe[Any], work: Work, *, train: Split, val: Split, info: DatasetInfo, store: Store
) -> None:
    """Train a part of what `train_method` trains, into its checkpoints in `store`."""
    setup = recipe.setup
    run = SeedRun(setup.name, train, val, info, setup.train, work.seed, store, recipe.base)
    with _needs_features(setup.name):
        work.train(run, recipe)


def _introduce(setup: Setup[Any], info: DatasetInfo) -> list[str]:
    """What is to be said of the networks of the user's that a method trains; each is tried before."""
    networks = _without_copies(setup.networks)
    notes = [note for settings in networks for note in introduce_network(settings, info)]
    for note in notes:
        _log.info("%s %s: %s", info.name, setup.name, note)
    return list(dict.fromkeys(notes))


def _without_copies(networks: Sequence[TrainSettings]) -> list[TrainSettings]:
    """One for each network and the weights that it starts from."""
    return list({str((s.network, s.pretrained, s.dropout, s.stochastic_depth)): s for s in networks}.values())


@contextmanager
def _needs_features(name: str) -> Iterator[None]:
    """A method that reads features cannot be trained with a network that has none."""
    try:
        yield
    except CannotExplainError as error:
        raise CannotTrainError(f"{name} reads the features before the last layer: {error}") from None


def make_base(setup: Setup[Any], **where: Any) -> Base:
    """How to get the model that others start from, which `setup` trains.

    Args:
        where: what it finds instead of training, see `Base`.
    """
    method = setup.method
    assert isinstance(method, NetworkMethod), f"{setup.name} has no plan"
    return Base(setup.name, method.words.label, setup.train, setup.settings, method.plan, **where)


def labels_used(setup: Setup[Any], origin: str) -> list[str]:
    """Which labels a method sees, in words.

    Args:
        origin: of the attribute that forms the groups: annotated, cue, inferred or none.
    """
    base = setup.base.selection if setup.base else None
    known = KnownLabels(GIVEN[origin], base, setup.train.patience is not None)
    return setup.method.labels_used(setup.settings, known)


def reason_against(setup: Setup[Any], sizes: Sequence[GroupInfo]) -> InputError | None:
    """The error that training would stop with for want of images in a group; None where it would not."""
    everything = np.arange(len(sizes), dtype=np.int64)
    groups = Groups(
        np.repeat(everything, [g.n_train for g in sizes]),
        np.repeat(everything, [g.n_val for g in sizes]),
        [g.name for g in sizes],
    )
    try:
        setup.method.check(setup.settings, groups, batch_size=setup.train.batch_size)
    except InputError as error:
        return error
    return None


def _check(train: Split, val: Split, info: DatasetInfo) -> None:
    if len(np.unique(train.labels)) < 2:
        raise InputError(
            f"{info.name}: training needs images of at least 2 classes, "
            f"there are {len(np.unique(train.labels))}. Look at the labels of its training split."
        )
    if len(val) == 0:
        raise InputError(f"{info.name}: there are no validation images to select on; see data.val_fraction.")
