"""What the stage `train` does for a model that was trained elsewhere: it reads it, and trains nothing.

The model then lies where a trained one would, so that every later stage takes it for one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.artifacts.checkpoints import save_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_samples
from pipeline.artifacts.dynamics import save_dynamics
from pipeline.artifacts.files import find_foreign, fresh_dir, save_artifact, write_atomic, write_text
from pipeline.artifacts.not_trained import write_not_trained
from pipeline.artifacts.outputs import stage_outputs
from pipeline.artifacts.paths import data_folders, model_dir
from pipeline.artifacts.plans import read_code, read_plan
from pipeline.artifacts.predictions import save_table
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import metrics_json
from pipeline.core.errors import InputError
from pipeline.methods.brought.predictions import Images, bring_predictions
from pipeline.models.brought.networks import open_network
from pipeline.models.brought.open import Brought, bring, weights_of
from pipeline.models.brought.sources import shards
from pipeline.records.data import DatasetInfo
from pipeline.records.training import BroughtModel, NotTrained, TrainHistory
from pipeline.settings.models import NetworkModel, PredictionsModel
from pipeline.settings.plans.train import BroughtPlan

_log = logging.getLogger(__name__)
NOT_KNOWN = "not known (trained elsewhere)"
NO_MARGINS = "It was trained elsewhere, so that nobody noted margins while it learned."


def run(dataset: str, name: str) -> None:
    """Read the model `name` of `models` for a dataset.

    Raises:
        InputError: its files do not go together, or do not fit the dataset.
    """
    plan = read_plan(BroughtPlan, "train", dataset, name)
    with exclusive("train", dataset, name):
        info = load_info(data_folders(dataset))
        (model_dir(dataset, name) / "history.json").unlink(missing_ok=True)
        history = _bring(dataset, name, plan, info)
        if isinstance(history, NotTrained):
            write_not_trained(history, "train", dataset, name)
            return
        out, empty = (
            model_dir(dataset, name),
            pd.DataFrame(columns=["epoch", "seed", "group", "val_accuracy"]),
        )
        save_dynamics(out / "dynamics.parquet", {})
        write_atomic(out / "curves.csv", lambda path: empty.to_csv(path, index=False))
        means = pd.DataFrame(columns=["method", "epoch", "val_average", "val_worst_group"])
        write_atomic(out / "mean_curves.csv", lambda path: means.to_csv(path, index=False))
        write_text(out / "metrics.json", metrics_json({}))
        save_artifact(out / "history.json", history)
    for note in history.brought.notes if history.brought else []:
        _log.info("%s %s: %s", dataset, name, note)


def _bring(dataset: str, name: str, plan: BroughtPlan, info: DatasetInfo) -> TrainHistory | NotTrained:
    entry, key = plan.brought, settings_hash(plan, info.digest, read_code("train", dataset, name))
    if entry.datasets is not None and dataset not in entry.datasets:
        why = (
            f"models.{name} is a model of {', '.join(entry.datasets)} (its key `datasets`), not of "
            f"{dataset}. Add {dataset} there, if it is."
        )
        if plan.is_baseline:
            raise InputError(why)
        provenance = make_provenance(key, [0], data=info.digest)
        return NotTrained(provenance=provenance, method=name, not_trained=why)
    if isinstance(entry, PredictionsModel):
        return _bring_table(dataset, name, entry, info, key)
    return _bring_networks(dataset, name, entry, info, key, plan.files)


def _bring_table(
    dataset: str, name: str, entry: PredictionsModel, info: DatasetInfo, key: str
) -> TrainHistory:
    images = Images.of(load_samples(data_folders(dataset).packed), info.classes)
    found = bring_predictions(entry, images, f"models.{name}")
    with _fresh_weights(dataset, name) as folder:
        save_table(folder / "predictions.parquet", found.table, info.digest)
    brought = BroughtModel(kind=entry.kind, path=entry.path, notes=found.notes)
    return _history(
        name, info, key, brought, seeds=found.seeds, model="a table of predictions", n_parameters=0
    )


def _bring_networks(
    dataset: str, name: str, entry: NetworkModel, info: DatasetInfo, key: str, digests: Mapping[str, str]
) -> TrainHistory:
    where = f"models.{name}"
    opened = open_network(entry, where)
    weights = weights_of(entry, opened, where)
    if entry.checkpoints and len(entry.checkpoints) != len(weights):
        raise InputError(
            f"{where}.checkpoints has lists for {len(entry.checkpoints)} seeds, and `weights` has "
            f"{len(weights)} files. Give a list for each of them, in their order."
        )
    _no_copies(weights, digests, where)
    title, n_parameters, notes = type(opened.net).__name__, 0, []
    with _fresh_weights(dataset, name) as folder:
        for seed, path in enumerate(weights):
            one = bring(entry, path, info.classes, info.image_size, where)
            _save(one, weights_path(folder, seed))
            notes += [note for note in one.notes if note not in notes]
            n_parameters = sum(p.numel() for p in one.model.parameters())
            for epoch, earlier in enumerate(_earlier(entry, seed)):
                before = bring(entry, earlier, info.classes, info.image_size, where)
                _save(before, weights_path(folder, seed, epoch=epoch))
    checkpoints = {str(s): list(range(len(paths))) for s, paths in enumerate(entry.checkpoints) if paths}
    files = [str(path) for path in weights if path is not None]
    brought = BroughtModel(kind=entry.kind, path=entry.path, weights=files, notes=notes)
    seeds = list(range(len(weights)))
    return _history(
        name, info, key, brought, seeds=seeds, model=title, n_parameters=n_parameters, checkpoints=checkpoints
    )


def _no_copies(weights: Sequence[Path | None], digests: Mapping[str, str], where: str) -> None:
    """Copies of one training would count as several, and their agreement as evidence.

    Args:
        digests: of the files that the plan found; the reader says which are missing.
    """
    seen: dict[tuple[str, ...], Path] = {}
    for path in weights:
        files = [] if path is None else shards(path) or [path]
        digest = tuple(digests[str(file)] for file in files if str(file) in digests)
        if path is None or not digest:
            continue
        if digest in seen:
            raise InputError(
                f"{where}.weights: {seen[digest]} and {path} hold the same weights, and each file "
                "counts as a training of its own. Name one of them."
            )
        seen[digest] = path


def _earlier(entry: NetworkModel, seed: int) -> Sequence[Path]:
    return [Path(path) for path in entry.checkpoints[seed]] if entry.checkpoints else []


def _save(one: Brought, path: Path) -> None:
    save_weights(path, one.model.state_dict(), one.spec)


def _fresh_weights(dataset: str, name: str) -> AbstractContextManager[Path]:
    """The folder as a whole takes the other's place, so that nothing half written is left."""
    outputs = stage_outputs("train", dataset, name)
    path, holds = next((path, holds) for path, holds in outputs if holds is not None)
    return fresh_dir(path, foreign=partial(find_foreign, holds=holds))


def _history(
    name: str,
    info: DatasetInfo,
    key: str,
    brought: BroughtModel,
    *,
    seeds: list[int],
    model: str,
    n_parameters: int,
    checkpoints: dict[str, list[int]] | None = None,
) -> TrainHistory:
    return TrainHistory(
        provenance=make_provenance(key, seeds, data=info.digest),
        method=name,
        labels_used=[NOT_KNOWN],
        model=model,
        n_parameters=n_parameters,
        precision="float32",
        device="elsewhere",
        selection="brought",
        selected_epoch={str(seed): 0 for seed in seeds},
        epochs=[],
        seconds=0.0,
        checkpoints=checkpoints or {},
        no_aum_reason=NO_MARGINS,
        brought=brought,
    )
