"""Which epoch's weights are kept, judged on validation images only.

Shape legend: E epochs, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.records.training import EpochRecord
from pipeline.settings.methods import Selection
from pipeline.statistics.accuracy.worst_group import counted
from pipeline.statistics.intervals import wilson

# Rules that read the groups of validation images: whoever uses one has used group labels.
USES_GROUPS: frozenset[Selection] = frozenset(
    {"worst_group", "worst_group_lower_bound", "one_standard_error"}
)


def choose_epoch(
    records: Sequence[EpochRecord], n_val_per_group: Sequence[int], *, rule: str, min_val: int
) -> int:
    """Index into `records` of the epoch whose weights are kept.

    - `average`: the highest validation accuracy over all images.
    - `worst_group`: the highest accuracy of the epoch's worst group.
    - `worst_group_lower_bound`: the highest "every group is at least this good": the lowest of the
      groups' lower 95 % Wilson ends. A small group that does well by luck in one epoch counts for less.
    - `one_standard_error`: the earliest epoch whose worst group is no more than one standard error
      below the best one, because the best of many noisy epochs owes part of its lead to noise. The
      standard error is taken at (hits + 2)/(n + 4): it is not 0 where all images are right.
    - `last`: no selection.

    Later epochs win ties, except for `one_standard_error`. The worst group is taken among groups with
    at least `min_val` validation images, or, where there is none, among all that have images.

    Args:
        records: one run's epochs in order.
        n_val_per_group: G counts.

    Raises:
        InputError: no epochs, an unknown rule, sizes that do not agree, or no validation images.
    Source: the one-standard-error rule by Breiman et al. 1984 (Classification and Regression Trees),
        the standard error by Agresti and Coull 1998.
    """
    if rule not in get_args(Selection):
        raise InputError(f"selection = {rule!r}: must be one of {', '.join(get_args(Selection))}.")
    if not records:
        raise InputError("no epoch was recorded, so none can be selected: set train.epochs to at least 1.")
    if rule == "last":
        return len(records) - 1
    if rule in ("average", "worst_group", "worst_group_lower_bound"):
        scores_E = epoch_scores(records, n_val_per_group, rule=rule, min_val=min_val)
        return len(scores_E) - 1 - int(np.argmax(scores_E[::-1]))  # the last of the best
    accuracy_EG, n_G = counted_groups(records, n_val_per_group, min_val)
    return int(np.argmax(accuracy_EG.min(axis=1) >= _tolerated(accuracy_EG, n_G)))


def epoch_scores(
    records: Sequence[EpochRecord], n_val_per_group: Sequence[int], *, rule: str, min_val: int
) -> Float64Array:
    """What `average`, `worst_group` or `worst_group_lower_bound` compares, E values.

    Raises:
        InputError: as `choose_epoch`.
    """
    if rule == "average":
        return np.array([record.val_average for record in records])
    accuracy_EG, n_G = counted_groups(records, n_val_per_group, min_val)
    if rule == "worst_group":
        worst_E: Float64Array = accuracy_EG.min(axis=1)
        return worst_E
    return np.array([lowest_lower_end(accuracy_G, n_G) for accuracy_G in accuracy_EG])


def epochs_worth_keeping(
    records: Sequence[EpochRecord], n_val_per_group: Sequence[int], *, rule: str, min_val: int
) -> list[int]:
    """Indices of the epochs that `choose_epoch` returns now, or may return when more epochs follow.

    A training loop needs to hold the weights of these only: one epoch, and for `one_standard_error`
    the few that beat all epochs before them and are not yet out of reach. The newest epoch is listed
    if and only if its weights are to be kept.

    Raises:
        InputError: as `choose_epoch`.
    """
    chosen = choose_epoch(records, n_val_per_group, rule=rule, min_val=min_val)
    if rule != "one_standard_error":
        return [chosen]
    accuracy_EG, n_G = counted_groups(records, n_val_per_group, min_val)
    worst_E = accuracy_EG.min(axis=1)
    before_E = np.concatenate([[-1.0], np.maximum.accumulate(worst_E)[:-1]])
    within_E = worst_E >= _tolerated(accuracy_EG, n_G)
    return [int(index) for index in np.flatnonzero((worst_E > before_E) & within_E)]


def _tolerated(accuracy_EG: Float64Array, n_G: Int64Array) -> float:
    """The lowest worst-group accuracy within one standard error of the best epoch.

    The best is the epoch whose worst group is highest after its own standard error is taken off:
    with groups of one size the highest worst group. More epochs can only raise this threshold.
    """
    center_EG = (accuracy_EG * n_G + 2) / (n_G + 4)
    within_EG = accuracy_EG - np.sqrt(center_EG * (1 - center_EG) / (n_G + 4))
    is_worst_EG = accuracy_EG == accuracy_EG.min(axis=1, keepdims=True)
    return float(np.where(is_worst_EG, within_EG, np.inf).min(axis=1).max())


def lowest_lower_end(accuracy_G: Float64Array, n_G: Int64Array) -> float:
    """The lowest of the groups' lower 95 % Wilson ends: every group is at least this good.

    >>> round(lowest_lower_end(np.array([0.9, 0.8]), np.array([10, 1000])), 3)  # the small group's
    0.596
    """
    return min(wilson(round(float(p) * int(n)), int(n)).low for p, n in zip(accuracy_G, n_G, strict=True))


def counted_groups(
    records: Sequence[EpochRecord], n_val_per_group: Sequence[int], min_val: int
) -> tuple[Float64Array, Int64Array]:
    """Accuracies E x counted groups, and these groups' validation images.

    Raises:
        InputError: sizes that do not agree, or no validation images.
    """
    n_G = np.asarray(n_val_per_group, np.int64)
    wrong = next((r for r in records if len(r.val_accuracy) != len(n_G)), None)
    if wrong is not None:
        raise InputError(
            f"epoch {wrong.epoch} has the accuracy of {len(wrong.val_accuracy)} groups, but there are "
            f"{len(n_G)} group sizes."
        )
    accuracy_EG = np.array([[np.nan if v is None else v for v in record.val_accuracy] for record in records])
    counted_G = counted(np.where(np.isnan(accuracy_EG).any(axis=0), 0, n_G), min_val)
    if not counted_G.any():
        raise InputError(
            "no group has validation images, so no epoch can be selected by groups: set selection to "
            "average or last, or data.val_fraction above 0."
        )
    return accuracy_EG[:, counted_G], n_G[counted_G]
