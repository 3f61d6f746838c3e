"""How training images act on the groups that fall behind: what `repair` leaves images out by.

Shape legend: S seeds, N training images, V validation images, J columns of target weights, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from pipeline.core.types import BoolArray, Float64Array, Split
from pipeline.methods.removal.targets import (
    TargetGroups,
    cluster_targets,
    clusters_of,
    given_groups,
    target_weights,
)
from pipeline.models.interface import Classifier
from pipeline.train.fitting import SeedRun

if TYPE_CHECKING:
    from pipeline.methods.repair import RepairSettings

SCORES = "scores"  # the checkpoint that keeps them


class Attribution(Protocol):
    """How training images act on validation images; `attribution.effects.Attributor` is one."""

    def effects(
        self, models: Sequence[Classifier], train: Split, targets: Split, weights_VJ: Float64Array
    ) -> Float64Array:
        """N x J: on weighted sums of the targets' margins; positive = the training image helps."""

    def vectors(self, models: Sequence[Classifier], train: Split, targets: Split) -> Float64Array:
        """V x D: close together for targets that the same training images help and harm."""


def score_images(
    run: SeedRun,
    method: RepairSettings,
    attribution: Attribution,
    models: Sequence[Classifier],
    correct_SV: BoolArray,
) -> tuple[TargetGroups, Float64Array]:
    """The groups to look after and every training image's effect on them, kept for a run that is killed."""
    kept = run.store.load(SCORES)
    if method.groups == "given":
        targets = given_groups(run)
    elif kept is not None:
        targets = clusters_of(kept["clusters"].numpy(), run.info.classes)
    else:
        vectors_VD = attribution.vectors(models, run.train, run.val)
        targets = cluster_targets(vectors_VD, run.val.labels, run.info.classes, seed=run.settings.seeds[0])
    if kept is not None:
        return targets, kept["effects"].numpy()
    weights_V = target_weights(targets, targets.accuracies(correct_SV).mean(axis=0))
    effects_N = attribution.effects(models, run.train, run.val, weights_V[:, None])[:, 0]
    clusters = torch.from_numpy(targets.groups_V.astype(np.int64))
    run.store.save(SCORES, {"effects": torch.from_numpy(effects_N), "clusters": clusters})
    return targets, effects_N
