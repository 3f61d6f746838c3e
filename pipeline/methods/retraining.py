"""Train a method again on parts of the training images: which trainings, and one of them.

Shape legend: N training images.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import CannotTrainError
from pipeline.core.types import Int64Array, Split
from pipeline.models.interface import Classifier
from pipeline.records.data import DatasetInfo
from pipeline.records.retraining import Training
from pipeline.settings.methods import (
    AnyMethodSettings,
    DfrSettings,
    GroupSettings,
    JttSettings,
    NetworkSettings,
    RepairSettings,
    SubgSettings,
)
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.train import TrainSettings
from pipeline.statistics.retrained.subsets import training_rows
from pipeline.train.fitting import network_of
from pipeline.train.loop import Job, train_seed
from pipeline.train.plans import Groups, make_plan
from pipeline.train.subsets import subset_size

_log = logging.getLogger(__name__)
_SUBSET, _THIN = 0, 1  # separate random streams of training seeds


def why_not(method: AnyMethodSettings, settings: RetrainSettings) -> str | None:
    """Why a method is not retrained; None where it is."""
    if method.key not in settings.methods:
        return f"retrain.methods does not name {method.key}"
    if settings.subsets == 0 and not settings.thin_keep:
        return "retrain.subsets is 0 and retrain.thin_keep is empty (32 subsets and [0.0, 0.5] would do)"
    if isinstance(method, JttSettings | DfrSettings | RepairSettings):
        return f"{method.key} starts from an ERM model, and only methods of one training are retrained"
    if isinstance(method, GroupSettings) and method.groups == "inferred":
        return f"methods.{method.key}.groups is inferred: its groups come from an ERM model of all images"
    return None


def why_too_small(
    trainings: Sequence[Training],
    method: AnyMethodSettings,
    settings: RetrainSettings,
    *,
    groups_N: Int64Array,
    names: Sequence[str],
    batch_size: int,
) -> str | None:
    """Why one of the planned parts is too small for the method; None where all can be trained."""
    if not isinstance(method, SubgSettings):
        return None  # the others leave groups without images out
    try:
        for training in trainings:
            rows = training_rows(training, groups_N, share=settings.share, seed=settings.seed)
            subset_size(groups_N[rows], names, batch_size)
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


def retrain(
    method: AnyMethodSettings, settings: TrainSettings, train: Split, val: Split, info: DatasetInfo, seed: int
) -> Classifier:
    """The method's network trained on `train`, part of a split, after its whole schedule.

    Nothing is selected or stopped on validation images, and groups without images are left out.

    Raises:
        CannotTrainError: not enough images of a group for the method.
        TrainingError: the loss is not finite.
    """
    assert isinstance(method, NetworkSettings), "`why_not` names the methods that are not retrained"
    changes: dict[str, object] = {"selection": "last"}
    if isinstance(method, GroupSettings):
        changes["allow_empty_groups"] = True
    settings = settings.model_copy(update={"patience": None})
    val = val.take(np.arange(1))  # an epoch's validation accuracy is not used: one image keeps it short
    groups = Groups(train.groups, val.groups, [group.name for group in info.groups])
    plan = make_plan(method.model_copy(update=changes), train, groups, batch_size=settings.batch_size)
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
