"""Train a method again on parts of the training images: which trainings, one of them, and all on disk.

Shape legend: M trainings, N training images, T test images, K classes.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.artifacts.arrays import Arrays, load_arrays
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.paths import DataFolders, data_folders
from pipeline.core.errors import CannotTrainError
from pipeline.core.memory import available_cores
from pipeline.core.types import Int64Array, Split
from pipeline.methods.method import NetworkMethod
from pipeline.methods.recipe import Setup
from pipeline.methods.retraining_asked import Retrained, why_not
from pipeline.methods.run import reason_against
from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.parallel.fan_out import fan_out
from pipeline.records.data import DatasetInfo
from pipeline.records.retraining import Training
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.train import TrainSettings
from pipeline.statistics.retrained.log_odds import label_log_odds
from pipeline.statistics.retrained.subsets import training_rows
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.networks import network_of

_log = logging.getLogger(__name__)
_SUBSET, _THIN = 0, 1  # separate random streams of training seeds


def why_too_small(
    trainings: Sequence[Training],
    setup: Setup[Any],
    settings: RetrainSettings,
    *,
    groups_N: Int64Array,
    names: Sequence[str],
) -> str | None:
    """Why one of the planned parts is too small for the method; None where all can be trained."""
    method = _network_method(setup)
    chosen, no_val = method.unselected(setup.settings), groups_N[:0]
    try:
        for training in trainings:
            rows = training_rows(training, groups_N, share=settings.share, seed=settings.seed)
            groups = Groups(groups_N[rows], no_val, names)
            method.check(chosen, groups, batch_size=setup.train.batch_size)
    except CannotTrainError as error:
        return f"on a part of the images ({training.name}), {error}"
    return None


def plan_trainings(settings: RetrainSettings, train: Split) -> list[Training]:
    """All trainings that are asked for: of random subsets, of thinned groups, and of all images.

    Thinning that takes no image away, or leaves images of one class only, is left out.
    """
    groups_N = train.groups
    asked = [
        Training(kind="subset", index=index, repeat=repeat, seed=0, n_images=0)
        for index in range(settings.subsets)
        for repeat in range(settings.repeats)
    ]
    if settings.thin_keep:
        asked += [
            Training(kind="thinned", group=group, kept=kept, repeat=repeat, seed=0, n_images=0)
            for group in np.unique(groups_N).tolist()
            for kept in dict.fromkeys(settings.thin_keep)
            for repeat in range(settings.thin_repeats)
        ]
        asked += [
            Training(kind="all", repeat=repeat, seed=0, n_images=0) for repeat in range(settings.thin_repeats)
        ]
    planned = []
    for training in asked:
        rows = training_rows(training, groups_N, share=settings.share, seed=settings.seed)
        thins_nothing = training.kind == "thinned" and len(rows) == len(groups_N)
        if thins_nothing or len(np.unique(train.labels[rows])) < 2:
            _log.info("%s is left out: it takes nothing away, or a class", training.name)
            continue
        seed = _training_seed(settings.seed, training)
        planned.append(training.model_copy(update={"seed": seed, "n_images": len(rows)}))
    return planned


def _training_seed(seed: int, training: Training) -> int:
    """A seed of its own for every training, whatever else is asked for.

    Trainings of different images share none: their chance errors then add up as the intervals assume.
    """
    if training.kind == "subset":
        key = [seed, _SUBSET, training.index or 0, training.repeat]
    else:
        group = 0 if training.group is None else training.group + 1
        kept = 0 if training.kept is None else round(training.kept * 10**6) + 1
        key = [seed, _THIN, group, kept, training.repeat]
    return int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0] >> 1)


def retrain(setup: Setup[Any], train: Split, val: Split, info: DatasetInfo, seed: int) -> Classifier:
    """The method's network trained on `train`, part of a split, after its whole schedule.

    Nothing is selected or stopped on validation images, and groups without images are left out.

    Raises:
        CannotTrainError: not enough images of a group for the method.
        TrainingError: the loss is not finite.
    """
    method = _network_method(setup)
    settings = setup.train.model_copy(update={"patience": None})
    val = val.take(np.arange(1))  # an epoch's validation accuracy is not used: one image keeps it short
    groups = Groups(train.groups, val.groups, [group.name for group in info.groups])
    chosen = method.unselected(setup.settings)
    plan = method.plan(chosen, train, groups, batch_size=settings.batch_size)
    outcome = train_seed(
        network_of(settings, info, seed),
        train,
        val,
        Job(settings, plan, seed, len(info.groups)),
        resume=None,
        save=lambda state: None,
        tick=lambda steps: None,
    )
    return network_of(settings, info, seed, outcome.weights)


def _network_method(setup: Setup[Any]) -> NetworkMethod[Any]:
    assert isinstance(setup.method, NetworkMethod), "`why_not` names the methods that are not retrained"
    return setup.method


def retrain_parts(dataset: str, setup: Setup[Any], chosen: RetrainSettings, folder: Path) -> Retrained:
    """Train on every part that is asked for, in processes; those that lie finished in `folder` are done.

    Raises:
        TaskError: a training failed.
    """
    data = data_folders(dataset)
    train, test, info = load_split(data, "train"), load_split(data, "test"), load_info(data)
    trainings, reason = _plan(setup, chosen, train, info)
    results = _train_all(trainings, setup, chosen, dataset, folder)
    margins = [result["margins"] for result in results]
    found = [
        training.model_copy(update={"accuracy": float(result["accuracy"])})
        for training, result in zip(trainings, results, strict=True)
    ]
    return Retrained(found, np.stack(margins) if margins else np.zeros((0, len(test)), np.float32), reason)


def _plan(
    setup: Setup[Any], chosen: RetrainSettings, train: Split, info: DatasetInfo
) -> tuple[list[Training], str | None]:
    """The trainings; none, and the reason, where the method is not to be or cannot be retrained."""
    reason = why_not(setup, chosen)
    if reason is None:
        against = reason_against(setup, info.groups)
        reason = None if against is None else str(against)
    if reason is not None:
        return [], reason
    trainings = plan_trainings(chosen, train)
    names = [group.name for group in info.groups]
    reason = why_too_small(trainings, setup, chosen, groups_N=train.groups, names=names)
    return ([], reason) if reason is not None else (trainings, None)


def _train_all(
    trainings: list[Training], setup: Setup[Any], chosen: RetrainSettings, dataset: str, folder: Path
) -> list[Arrays]:
    """The result of every training, in order."""
    if not trainings:
        return []
    data = data_folders(dataset).below(Path.cwd())
    files = fan_out(
        _train_one,
        {training.name: (data, setup, chosen, training) for training in trainings},
        folder=folder,
        workers=chosen.workers or _default_workers(setup.train, chosen, len(trainings)),
        label=f"retrain {dataset} {setup.name}",
        unit="trainings",
        executor=chosen.executor,
        submitit=chosen.submitit,
        # auto: the cluster's machines may have GPUs that this one lacks
        uses_gpu=setup.train.device != "cpu",
    )
    return [load_arrays(path) for path in files.values()]


def _default_workers(train: TrainSettings, retrain: RetrainSettings, n_tasks: int) -> int:
    if retrain.executor == "slurm":
        return n_tasks  # one job each; the cluster decides how many run
    if choose_device(train.device).type == "cuda":
        return torch.cuda.device_count()
    return available_cores()


def _train_one(data: DataFolders, setup: Setup[Any], chosen: RetrainSettings, training: Training) -> Arrays:
    """One training: the test images' margins, and the accuracy on them."""
    train, val, test = _splits(data)
    rows = training_rows(training, train.groups, share=chosen.share, seed=chosen.seed)
    model = retrain(setup, train.take(rows), val, load_info(data), training.seed)
    logits_TK = predict_logits(model, test.images)
    return {
        "margins": label_log_odds(logits_TK, test.labels),
        "accuracy": np.array((logits_TK.argmax(1) == test.labels).mean()),
    }


@functools.lru_cache(maxsize=1)
def _splits(data: DataFolders) -> tuple[Split, Split, Split]:
    """The data, opened once in each process; the pixels stay in the file."""
    return load_split(data, "train"), load_split(data, "val"), load_split(data, "test")
