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
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.artifacts.arrays import load_arrays, save_arrays
from pipeline.artifacts.checkpoints import CheckpointStore
from pipeline.artifacts.paths import scratch_dir
from pipeline.artifacts.plans import read_code
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Float32Array, Int64Array, PackedSplit, Split
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
from pipeline.train.group_inference import cluster_groups, distances_to_center, errs
from pipeline.train.loop import Outcome
from pipeline.train.networks import network_of

_log = logging.getLogger(__name__)
EARLY_EPOCHS = 2  # as where a method infers its groups
CLUSTERS = 2  # of a class; as many as there are answers to whether a model errs
Values = npt.NDArray[Any]


def predict_validation(
    packed: PackedInfo, classes: GroupsInfo, train: PackedSplit, val: PackedSplit, setup: Setup[Any]
) -> Int64Array:
    """The class that a network of the setup's one seed predicts of each validation image.

    Args:
        classes: groups that are the classes.

    Raises:
        InputError, TrainingError: as `train_method`.
    """

    def predict(model: Classifier) -> dict[str, Values]:
        return {"value": predict_logits(model, val.images).argmax(axis=1).astype(np.int64)}

    _log.info("%s: one %s network says which cue it uses", packed.name, setup.name)
    info = DatasetInfo.of(packed, classes)
    predicted_V: Int64Array = _kept(info, (train, val), setup, "predicted", predict, val.ids)["value"]
    return predicted_V


class Inferred(NamedTuple):
    """What an early network says of each image of all splits, inside its class."""

    values_N: Int64Array  # cluster, 0 the larger; or 1 where it errs
    distances_N: Float32Array  # of training images from the center of their group; NaN elsewhere


def infer_values(
    packed: PackedInfo,
    classes: GroupsInfo,
    splits: Sequence[PackedSplit],
    setup: Setup[Any],
    inference: Literal["clusters", "errors"],
) -> Inferred:
    """Clusters of what an early network's last layer sees, or whether it errs.

    A network that is trained to the end has learned the minority by heart: its clusters show none, and it
    errs on none.

    Args:
        splits: all of them, in the order of the packed file.

    Raises:
        InputError, TrainingError: as `train_method`.
    """
    early = setup.train.model_dump() | {"epochs": EARLY_EPOCHS, "patience": None, "checkpoints": 0}
    train_settings = parse(TrainSettings, early, "train, for groups.from: inferred,")
    method = setup.settings.model_copy(update={"selection": "last"})
    setup = Setup(setup.method, method, train_settings)

    def read(model: Classifier) -> dict[str, Values]:
        embedded = [embed_split(model, _by_class(split)) for split in splits]
        values_N = (
            np.concatenate([errs(model, split) for split in splits]).astype(np.int64)
            if inference == "errors"
            else _clusters(embedded, splits, packed.classes, setup.train.seeds[0])
        )
        n_train = len(splits[0])
        distances_N = np.full(len(values_N), np.nan, np.float32)
        groups_N = CLUSTERS * splits[0].labels + values_N[:n_train]
        distances_N[:n_train] = distances_to_center(embedded[0], groups_N)
        return {"value": values_N, "distance": distances_N}

    ids_N = np.concatenate([split.ids for split in splits])
    found = _kept(DatasetInfo.of(packed, classes), (splits[0], splits[1]), setup, inference, read, ids_N)
    return Inferred(found["value"], found["distance"])


def _clusters(
    embedded: Sequence[Float32Array], splits: Sequence[PackedSplit], classes: Sequence[str], seed: int
) -> Int64Array:
    """Found on the training images, the first of `splits`."""
    train, *rest = zip(embedded, (split.labels for split in splits), strict=True)
    others = np.concatenate([part for part, _ in rest]), np.concatenate([labels for _, labels in rest])
    found = cluster_groups(train, others, classes, per_class=CLUSTERS, seed=seed)
    labels_N = np.concatenate([split.labels for split in splits])
    values_N: Int64Array = np.concatenate([found.train_N, found.val_V]) - CLUSTERS * labels_N
    return values_N


def _kept(
    info: DatasetInfo,
    trained_on: tuple[PackedSplit, PackedSplit],
    setup: Setup[Any],
    what: str,
    read: Callable[[Classifier], dict[str, Values]],
    ids_N: Int64Array,
) -> dict[str, Values]:
    """What `read` makes of a network trained on train and val, numbers for each of the images `ids_N`.

    Args:
        what: is read; another thing has another file.
    """
    folder = scratch_dir("groups", info.name)
    key = training_key(setup, info.packing, read_code("groups", info.name))
    kept = folder / f"{key}-{what}.npz"
    found = _load(kept, ids_N)
    if found is not None:
        return found
    values = read(_train(info, *trained_on, setup, folder / key))
    save_arrays(kept, {"id": ids_N, **values})
    _forget(folder, kept)
    return values


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


def _load(path: Path, ids_N: Int64Array) -> dict[str, Values] | None:
    try:
        arrays = load_arrays(path)
    except ArtifactError:
        return None
    if "id" not in arrays or not np.array_equal(arrays["id"], ids_N):
        return None
    return {name: values for name, values in arrays.items() if name != "id"}


def _forget(folder: Path, kept: Path) -> None:
    """Checkpoints, and predictions of other settings."""
    others: Sequence[Path] = [path for path in folder.iterdir() if path != kept]
    for path in others:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
