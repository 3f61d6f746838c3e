"""Foretold against actual: what scores say of models trained on parts of the images, and what came.

Shape legend: N training images (n of them scored), M targets, T retrained models, S subsets, R repeats,
P thinned parts, H test groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.attribution.scores import Scores
from pipeline.attribution.selection import Examples
from pipeline.attribution.streaming import mean_weights
from pipeline.core.types import Float32Array, Int64Array
from pipeline.records.attribution import Calibration, GroupCheck, Lds
from pipeline.records.data import GroupInfo
from pipeline.records.retraining import RetrainResult
from pipeline.statistics.retrained.calibration import calibrate
from pipeline.statistics.retrained.group_check import Thinned, group_check
from pipeline.statistics.retrained.group_rule import group_rule, rule_sums
from pipeline.statistics.retrained.lds import MIN_SUBSETS, lds_record
from pipeline.statistics.retrained.subsets import removed_rows, subset_members


@dataclass(frozen=True)
class Retrained:
    """Models trained again on parts of the training images, and the targets' margins under them."""

    record: RetrainResult
    margins_TM: Float32Array
    train_labels_N: Int64Array
    train_groups_N: Int64Array


def measure_lds(
    scores: Scores,
    cosines: Scores | None,
    retrained: Retrained,
    train: Examples,
    targets: Examples,
    groups: Sequence[GroupInfo],
    seed: int,
) -> tuple[Lds | None, str | None]:
    """The linear datamodeling score of the scores, or None and why it was not measured."""
    record = retrained.record
    rows = _subset_trainings(record)
    if not rows:
        why = record.reason or "retrain.subsets is 0: 32 or more are of use"
        return None, f"not asked for: {why}."
    if len(rows) < MIN_SUBSETS:
        return None, f"{len(rows)} subsets are too few: set retrain.subsets to 32 or more."
    members_SN = subset_members(record.n_train, record.share, seed=record.seed, indices=list(rows))
    weights_nS = members_SN[:, train.rows].T.astype(np.float64)
    actual_MSR = np.stack([retrained.margins_TM[r] for r in rows.values()], axis=0).transpose(2, 0, 1)
    found = lds_record(
        scores.train_sums(weights_nS).T,
        actual_MSR,
        labels_T=targets.labels,
        train_labels_N=retrained.train_labels_N,
        members_MN=members_SN,
        seed=seed,
        grad_cosine_TM=None if cosines is None else cosines.train_sums(weights_nS).T,
        group_rule_TM=rule_sums(members_SN, retrained.train_groups_N, targets.groups, group_rule(groups)),
    )
    return found, None


def check_groups(
    scores: Scores, retrained: Retrained, train: Examples, targets: Examples, groups: Sequence[GroupInfo]
) -> tuple[GroupCheck | None, str | None]:
    """Foretold against actual effects of thinning training groups, or None and why there are none."""
    record = retrained.record
    by_part = _thinned_trainings(record)
    reference = [i for i, training in enumerate(record.trainings) if training.kind == "all"]
    if not by_part or len(reference) < 2:
        why = record.reason or "retrain.thin_keep is empty; [0.0, 0.5] would thin each training group twice"
        return None, f"not asked for: {why}."
    if len(train) < record.n_train:
        return None, "attribute.max_train leaves training images without scores: set it to null."
    names, rule_GG = [group.name for group in groups], group_rule(groups)
    removed = {part: removed_rows(retrained.train_groups_N, *part, seed=record.seed) for part in by_part}
    lost_nP = np.zeros((len(train), len(by_part)))
    for column, rows in enumerate(removed.values()):
        lost_nP[rows, column] = -1.0
    foretold_PH = scores.train_sums(lost_nP) @ mean_weights(targets.groups, len(names))
    thinned = [
        Thinned(
            group=group,
            kept=kept,
            n_removed=len(removed[group, kept]),
            margins_RN=retrained.margins_TM[trainings].astype(np.float64),
            foretold_H=foretold_H,
            rule_H=-rule_GG[group],
        )
        for ((group, kept), trainings), foretold_H in zip(by_part.items(), foretold_PH, strict=True)
    ]
    reference_RM = retrained.margins_TM[reference].astype(np.float64)
    return group_check(thinned, reference_RM, targets.groups, names), None


def calibrate_subsets(
    scores: Scores, retrained: Retrained, train: Examples, targets: Examples, n_groups: int
) -> Calibration | None:
    """Whether the scores foretell how far random subsets differ; None without subsets."""
    record = retrained.record
    rows = _subset_trainings(record)
    if not rows:
        return None
    members_SN = subset_members(record.n_train, record.share, seed=record.seed, indices=list(rows))
    present = np.unique(targets.groups)
    weights_MH = mean_weights(targets.groups, n_groups)[:, present]
    foretold_SM = scores.train_sums(members_SN[:, train.rows].T.astype(np.float64))
    actual_SM = np.stack([retrained.margins_TM[r].mean(axis=0) for r in rows.values()]).astype(np.float64)
    found = calibrate("subsets", foretold_SM @ weights_MH, actual_SM @ weights_MH, np.arange(len(rows)))
    return found.record


def calibrate_thinned(check: GroupCheck) -> tuple[GroupCheck, Calibration]:
    """Whether the scores foretell sizes when groups are thinned; where they do, every change has its own."""
    parts = list(dict.fromkeys((c.train_index, c.kept) for c in check.changes))
    rows = [[c for c in check.changes if (c.train_index, c.kept) == part] for part in parts]
    found = calibrate(
        "thinned",
        np.array([[c.predicted for c in row] for row in rows]),
        np.array([[c.actual for c in row] for row in rows]),
        np.array([group for group, _ in parts], np.int64),
    )
    if found.record.status != "sizes":
        return check, found.record
    changes = [
        change.model_copy(update={"calibrated": size})
        for row, sizes in zip(rows, found.foretold, strict=True)
        for change, size in zip(row, sizes, strict=True)
    ]
    return check.model_copy(update={"changes": changes}), found.record


def _subset_trainings(record: RetrainResult) -> dict[int, list[int]]:
    """Subset -> its trainings, rows of the margins; those that were trained less often are left out."""
    by_subset: dict[int, list[int]] = {}
    for row, training in enumerate(record.trainings):
        if training.kind == "subset" and training.index is not None:
            by_subset.setdefault(training.index, []).append(row)
    most = max((len(rows) for rows in by_subset.values()), default=0)
    return {index: rows for index, rows in by_subset.items() if len(rows) == most}


def _thinned_trainings(record: RetrainResult) -> dict[tuple[int, float], list[int]]:
    """(training group, share kept) -> its trainings, rows of the margins."""
    by_part: dict[tuple[int, float], list[int]] = {}
    for row, training in enumerate(record.trainings):
        if training.kind == "thinned" and training.group is not None and training.kept is not None:
            by_part.setdefault((training.group, training.kept), []).append(row)
    return by_part
