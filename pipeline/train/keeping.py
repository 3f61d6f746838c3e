"""The weights of the epochs that may be selected, and when to stop early.

Shape legend: V validation images, G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.training import EpochRecord
from pipeline.statistics.accuracy.selection import choose_epoch, epoch_scores, epochs_worth_keeping

Weights = dict[str, Tensor]


class Keeper:
    """Judges epochs on validation images and holds the weights of those that can still win."""

    def __init__(
        self,
        rule: str,
        groups_V: Int64Array,
        *,
        min_val: int,
        patience: int | None,
        trained: Int64Array | None = None,
    ) -> None:
        """Of groups `groups_V`; those that are not among `trained` (None = all) do not count."""
        self.rule = rule
        self.groups_V = groups_V  # the plan's: they may be inferred
        counts = np.bincount(groups_V)
        if trained is not None:
            counts[np.setdiff1d(np.arange(len(counts)), trained)] = 0
        self.n_val_G = counts.tolist()
        self.min_val = min_val
        self.patience = patience
        self.records: list[EpochRecord] = []  # with the accuracy of these groups
        self.weights: dict[int, Weights] = {}

    def judge(self, record: EpochRecord, correct_V: BoolArray, copy_weights: Callable[[], Weights]) -> None:
        """Take in an epoch, and its weights if it may be selected."""
        accuracies = group_accuracies(correct_V, self.groups_V, len(self.n_val_G))
        self.records.append(record.model_copy(update={"val_accuracy": accuracies}))
        if self.rule == "last":  # the network's own weights at the end
            return
        keep = epochs_worth_keeping(self.records, self.n_val_G, rule=self.rule, min_val=self.min_val)
        self.weights = {epoch: kept for epoch, kept in self.weights.items() if epoch in keep}
        newest = len(self.records) - 1
        if newest in keep:
            self.weights[newest] = copy_weights()

    def selected(self) -> int:
        """The selected epoch of those so far."""
        return choose_epoch(self.records, self.n_val_G, rule=self.rule, min_val=self.min_val)

    def is_time_to_stop(self) -> bool:
        """Whether the last `patience` epochs brought no improvement of what is selected by.

        Without selection, and by the one-standard-error rule, that is the average and the worst group.
        """
        if self.patience is None or not self.records:
            return False
        rule = {"last": "average", "one_standard_error": "worst_group"}.get(self.rule, self.rule)
        scores_E = epoch_scores(self.records, self.n_val_G, rule=rule, min_val=self.min_val)
        first_best = int(np.argmax(scores_E))  # equalling it is no improvement
        return len(self.records) - 1 - first_best >= self.patience

    def state(self) -> dict[str, Any]:
        return {"records": [record.model_dump() for record in self.records], "weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.records = [EpochRecord.model_validate(record) for record in state["records"]]
        self.weights = state["weights"]


def group_accuracies(correct_V: BoolArray, groups_V: Int64Array, n_groups: int) -> list[float | None]:
    """Share of right answers of every group; None where it has no images."""
    return group_means(correct_V, groups_V, n_groups)


def group_means(
    values_V: BoolArray | Float64Array, groups_V: Int64Array, n_groups: int
) -> list[float | None]:
    """Mean of every group; None where it has no images."""
    return [float(values_V[groups_V == g].mean()) if (groups_V == g).any() else None for g in range(n_groups)]


def copy_weights(model: nn.Module) -> Weights:
    """A network's weights and statistics, in main memory."""
    return {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}
