"""One plainly trained network of one seed, asked for its predictions before there are groups.

Trained with the dataset's own settings into `.scratch/`; a killed run goes on, and what it predicts is kept
there until the data, settings or code are others.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.arrays import load_arrays, save_arrays
from pipeline.artifacts.checkpoints import CheckpointStore
from pipeline.artifacts.paths import scratch_dir
from pipeline.artifacts.plans import read_code
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Int64Array, PackedSplit, Split
from pipeline.methods.recipe import Recipe, Setup
from pipeline.methods.run import train_method
from pipeline.methods.setup import training_key
from pipeline.models.predict import predict_logits
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo, GroupsInfo, PackedInfo
from pipeline.train.fitting import network_of
from pipeline.train.loop import Outcome

_log = logging.getLogger(__name__)


def predict_validation(
    packed: PackedInfo,
    classes: GroupsInfo,
    train: PackedSplit,
    val: PackedSplit,
    setup: Setup[Any],
) -> Int64Array:
    """The class that a network of the setup's one seed predicts of each validation image.

    Args:
        classes: groups that are the classes.

    Raises:
        InputError, TrainingError: as `train_method`.
    """
    folder = scratch_dir("groups", packed.name)
    key = training_key(setup, packed.packing, read_code("groups", packed.name))
    kept = folder / f"{key}.npz"
    found = _load(kept, val)
    if found is not None:
        return found
    _log.info("%s: one %s network is trained, to ask which cue it uses", packed.name, setup.name)
    predicted_V = _train(DatasetInfo.of(packed, classes), train, val, setup, folder / key)
    save_arrays(kept, {"id": val.ids, "predicted": predicted_V})
    _forget(folder, kept)
    return predicted_V


def _train(
    info: DatasetInfo, train: PackedSplit, val: PackedSplit, setup: Setup[Any], folder: Path
) -> Int64Array:
    outcomes: dict[int, Outcome] = {}

    def keep(seed: int, outcome: Outcome, spec: dict[str, Any], control: str = "") -> None:
        outcomes[seed] = outcome

    train_method(
        Recipe(setup, work_dir=folder),
        train=_by_class(train),
        val=_by_class(val),
        info=info,
        store=CheckpointStore(folder),
        save_seed=keep,
        provenance=Provenance(),
    )
    (seed,) = setup.train.seeds
    model = network_of(setup.train, info, seed, outcomes[seed].weights)
    predicted_V: Int64Array = predict_logits(model, val.images).argmax(axis=1).astype(np.int64)
    return predicted_V


def _by_class(split: PackedSplit) -> Split:
    """With its classes as groups."""
    own = {field.name: getattr(split, field.name) for field in fields(split)}
    return Split(**own, attributes=np.zeros(len(split), np.int64), groups=split.labels, digest=split.packing)


def _load(path: Path, val: PackedSplit) -> Int64Array | None:
    try:
        arrays = load_arrays(path)
    except ArtifactError:
        return None
    if set(arrays) != {"id", "predicted"} or not np.array_equal(arrays["id"], val.ids):
        return None
    return arrays["predicted"].astype(np.int64)


def _forget(folder: Path, kept: Path) -> None:
    """Checkpoints, and predictions of other settings."""
    others: Sequence[Path] = [path for path in folder.iterdir() if path != kept]
    for path in others:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
