"""Train every seed of one method: what each method does beside the shared loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Split
from pipeline.methods.dfr import train_last_layer
from pipeline.methods.jtt import train_twice
from pipeline.methods.labels import labels_used
from pipeline.methods.repair import fit_task, repair
from pipeline.methods.side_by_side import TrainAhead, Work
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo
from pipeline.records.training import GroupInference, LastLayer, Removal, TrainHistory
from pipeline.settings.methods import (
    AnyMethodSettings,
    DfrSettings,
    GroupSettings,
    JttSettings,
    RepairSettings,
)
from pipeline.settings.train import TrainSettings
from pipeline.train.fitting import Attribution, ErmBase, SeedRun, Store
from pipeline.train.group_inference import infer_groups
from pipeline.train.loop import Outcome
from pipeline.train.plans import make_plan


class SaveSeed(Protocol):
    """Takes a seed's result and the arguments that rebuild its network; of a control its name."""

    def __call__(self, seed: int, outcome: Outcome, spec: dict[str, Any], control: str = "") -> None: ...


@dataclass(frozen=True)
class Recipe:
    """One method with the settings of every network that it trains."""

    name: str
    method: AnyMethodSettings
    settings: TrainSettings
    erm: ErmBase  # used by `dfr`, `repair` and for inferred groups
    first: TrainSettings | None = None  # the first model of `jtt`
    attribution: Attribution | None = None  # what `repair` chooses images by
    ahead: TrainAhead | None = None  # trains networks side by side into the store


@dataclass(frozen=True)
class _Trained:
    """One seed's result and what the method found on the way."""

    outcome: Outcome
    inference: GroupInference | None = None
    last_layer: LastLayer | None = None


@dataclass(frozen=True)
class _AllTrained:
    """Every seed's result, and what was found over all of them."""

    seeds: dict[int, _Trained]
    removal: Removal | None = None
    search_seconds: float = 0.0  # of networks that are no seed's result


def train_method(
    recipe: Recipe,
    *,
    train: Split,
    val: Split,
    info: DatasetInfo,
    store: Store,
    save_seed: SaveSeed,
    provenance: Provenance,
) -> TrainHistory:
    """Train `recipe.settings.seeds` one after the other and hand each one's result to `save_seed`.

    Raises:
        InputError: no class or a single one, an empty validation split, or groups without the images
            that the method needs.
        TrainingError: the loss is not finite.
    """
    _check(train, val, info)
    settings, method = recipe.settings, recipe.method
    run = SeedRun(recipe.name, train, val, info, settings, settings.seeds[0], store, recipe.erm)
    found = _train_all(run, recipe, save_seed)
    trained = found.seeds
    epochs = [record for result in trained.values() for record in result.outcome.history]
    first = trained[settings.seeds[0]].outcome
    return TrainHistory(
        provenance=provenance,
        method=recipe.name,
        labels_used=labels_used(
            method,
            info.attributes[0].origin,
            recipe.erm.method,
            stops_early=settings.patience is not None,
        ),
        model=settings.model,
        n_parameters=sum(p.numel() for p in run.network(settings).parameters()),
        precision=first.precision,
        device=settings.device,
        selection=recipe.erm.method.selection
        if isinstance(method, DfrSettings | RepairSettings)
        else method.selection,
        selected_epoch={str(seed): result.outcome.selected_epoch for seed, result in trained.items()},
        epochs=epochs,
        # also those before a kill
        seconds=sum(record.seconds for record in epochs) + found.search_seconds,
        group_inference=[r.inference for r in trained.values() if r.inference is not None],
        last_layers=[r.last_layer for r in trained.values() if r.last_layer is not None],
        checkpoints={str(s): sorted(r.outcome.snapshots) for s, r in trained.items() if r.outcome.snapshots},
        no_aum_reason=None if first.dynamics is None else first.dynamics.reason,
        removal=found.removal,
        trained_on_val=isinstance(method, DfrSettings) and method.fit_on == "val",
    )


def _train_all(run: SeedRun, recipe: Recipe, save_seed: SaveSeed) -> _AllTrained:
    """Train one seed after the other, or together where the method looks at all of them."""
    settings, method = recipe.settings, recipe.method
    spec = run.spec(settings)
    if not isinstance(method, RepairSettings):
        if recipe.ahead is not None:
            recipe.ahead(settings.seeds)
        trained: dict[int, _Trained] = {}
        for seed in settings.seeds:
            trained[seed] = _train_seed(replace(run, seed=seed), recipe)
            save_seed(seed, trained[seed].outcome, spec)
        return _AllTrained(trained)
    assert recipe.attribution is not None, "repair chooses images by attribution"
    repaired = repair(run, method, recipe.attribution, recipe.ahead)
    for seed, outcome in repaired.outcomes.items():
        save_seed(seed, outcome, spec)
    for control, outcomes in repaired.controls.items():
        for seed, outcome in outcomes.items():
            save_seed(seed, outcome, spec, control=control)
    return _AllTrained(
        {seed: _Trained(outcome) for seed, outcome in repaired.outcomes.items()},
        repaired.removal,
        repaired.search_seconds,
    )


def train_part(
    recipe: Recipe, work: Work, *, train: Split, val: Split, info: DatasetInfo, store: Store
) -> None:
    """Train a part of what `train_method` trains, into its checkpoints in `store`."""
    seed = work if isinstance(work, int) else work.seed
    run = SeedRun(recipe.name, train, val, info, recipe.settings, seed, store, recipe.erm)
    if isinstance(work, int):
        _train_seed(run, recipe)
    else:
        fit_task(run, work)


def _train_seed(run: SeedRun, recipe: Recipe) -> _Trained:
    method = recipe.method
    if isinstance(method, DfrSettings):
        outcome, record = train_last_layer(run, method)
        return _Trained(outcome, last_layer=record)
    if isinstance(method, JttSettings):
        assert recipe.first is not None, "jtt trains a first model"
        outcome, inference = train_twice(run, method, recipe.first)
        return _Trained(outcome, inference)
    groups, found = run.groups, None
    if isinstance(method, GroupSettings) and method.groups == "inferred":
        groups, found = infer_groups(run, method)
    assert not isinstance(method, RepairSettings), "repair trains all seeds together"
    plan = make_plan(method, run.train, groups, batch_size=run.settings.batch_size)
    return _Trained(run.fit(plan), found)


def _check(train: Split, val: Split, info: DatasetInfo) -> None:
    if len(np.unique(train.labels)) < 2:
        raise InputError(
            f"{info.name}: training needs images of at least 2 classes, "
            f"there are {len(np.unique(train.labels))}. Look at the labels of its training split."
        )
    if len(val) == 0:
        raise InputError(f"{info.name}: there are no validation images to select on; see data.val_fraction.")
