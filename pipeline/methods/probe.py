"""One plainly trained network of one seed, asked before there are groups: what it predicts, or sees alike.

Trained with the dataset's own settings into `.scratch/`; a killed run goes on, and what it says is kept
there until the data, settings or code are others.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
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
from pipeline.models.embed import embed_split
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo, GroupsInfo, PackedInfo
from pipeline.settings.parsing import parse
from pipeline.settings.train import TrainSettings
from pipeline.train.fitting import network_of
from pipeline.train.group_inference import cluster_groups
from pipeline.train.loop import Outcome

_log = logging.getLogger(__name__)
EARLY_EPOCHS = 2  # as where a method infers its groups
CLUSTERS = 2  # of a class


def predict_validation(
    packed: PackedInfo, classes: GroupsInfo, train: PackedSplit, val: PackedSplit, setup: Setup[Any]
) -> Int64Array:
    """The class that a network of the setup's one seed predicts of each validation image.

    Args:
        classes: groups that are the classes.

    Raises:
        InputError, TrainingError: as `train_method`.
    """

    def predict(model: Classifier) -> Int64Array:
        predicted_V: Int64Array = predict_logits(model, val.images).argmax(axis=1).astype(np.int64)
        return predicted_V

    _log.info("%s: one %s network says which cue it uses", packed.name, setup.name)
    return _kept(DatasetInfo.of(packed, classes), (train, val), setup, predict, val.ids)


def infer_clusters(
    packed: PackedInfo, classes: GroupsInfo, splits: Sequence[PackedSplit], setup: Setup[Any]
) -> Int64Array:
    """Cluster of each image inside its class, 0 the larger, of what an early network's last layer sees.

    A network that is trained to the end has learned the minority by heart, and its clusters show none.

    Args:
        splits: all of them, in the order of the packed file.

    Raises:
        InputError, TrainingError: as `train_method`.
    """
    early = setup.train.model_dump() | {"epochs": EARLY_EPOCHS, "patience": None, "checkpoints": 0}
    train_settings = parse(TrainSettings, early, "train, for groups.from: inferred,")
    method = setup.settings.model_copy(update={"selection": "last"})
    setup = Setup(setup.method, method, train_settings)

    def cluster(model: Classifier) -> Int64Array:
        train, *rest = ((embed_split(model, _by_class(split)), split.labels) for split in splits)
        others = np.concatenate([part for part, _ in rest]), np.concatenate([labels for _, labels in rest])
        found = cluster_groups(train, others, packed.classes, per_class=CLUSTERS, seed=setup.train.seeds[0])
        labels_N = np.concatenate([split.labels for split in splits])
        values_N: Int64Array = np.concatenate([found.train_N, found.val_V]) - CLUSTERS * labels_N
        return values_N

    ids_N = np.concatenate([split.ids for split in splits])
    return _kept(DatasetInfo.of(packed, classes), (splits[0], splits[1]), setup, cluster, ids_N)


def _kept(
    info: DatasetInfo,
    trained_on: tuple[PackedSplit, PackedSplit],
    setup: Setup[Any],
    read: Callable[[Classifier], Int64Array],
    ids_N: Int64Array,
) -> Int64Array:
    """What `read` makes of a network trained on train and val, a number for each of the images `ids_N`."""
    folder = scratch_dir("groups", info.name)
    key = training_key(setup, info.packing, read_code("groups", info.name))
    kept = folder / f"{key}.npz"
    found = _load(kept, ids_N)
    if found is not None:
        return found
    values_N = read(_train(info, *trained_on, setup, folder / key))
    save_arrays(kept, {"id": ids_N, "value": values_N})
    _forget(folder, kept)
    return values_N


def _train(
    info: DatasetInfo, train: PackedSplit, val: PackedSplit, setup: Setup[Any], folder: Path
) -> Classifier:
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
    return network_of(setup.train, info, seed, outcomes[seed].weights)


def _by_class(split: PackedSplit) -> Split:
    """With its classes as groups."""
    own = {field.name: getattr(split, field.name) for field in fields(split)}
    return Split(**own, attributes=np.zeros(len(split), np.int64), groups=split.labels, digest=split.packing)


def _load(path: Path, ids_N: Int64Array) -> Int64Array | None:
    try:
        arrays = load_arrays(path)
    except ArtifactError:
        return None
    if set(arrays) != {"id", "value"} or not np.array_equal(arrays["id"], ids_N):
        return None
    return arrays["value"].astype(np.int64)


def _forget(folder: Path, kept: Path) -> None:
    """Checkpoints, and predictions of other settings."""
    others: Sequence[Path] = [path for path in folder.iterdir() if path != kept]
    for path in others:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
