"""What a sweep may choose by: validation, with the labels that the method is allowed to know."""

from __future__ import annotations

import numpy as np

from pipeline.records.data import DatasetInfo
from pipeline.records.training import TrainHistory
from pipeline.statistics.accuracy.selection import counted_groups, lowest_lower_end


def training_metrics(
    history: TrainHistory, info: DatasetInfo, *, knows_groups: bool, min_val: int
) -> dict[str, float | int | None]:
    """Validation accuracies of what was kept, mean over seeds: what a sweep may choose by.

    The low end is that of the worst group's interval. Of `dfr` they are measured on validation images that
    the fits did not see.

    Args:
        knows_groups: whether the method selects by the dataset's groups. Of the others the average alone is
            given: to choose by more would be to use labels they do without.
        min_val: groups with fewer validation images do not count, where others have as many.
    """
    if history.last_layers:
        held_out = [layer.tried[f"{layer.strength:g}"] for layer in history.last_layers]
        return {"selected_val_worst_group": float(np.mean(held_out))}
    kept = [r for r in history.epochs if r.epoch == history.selected_epoch[str(r.seed)]]
    values: dict[str, float | int | None] = {
        "selected_val_average": float(np.mean([record.val_average for record in kept]))
    }
    if knows_groups:
        accuracy_SG, n_G = counted_groups(kept, [g.n_val for g in info.groups], min_val)
        values["selected_val_worst_group"] = float(accuracy_SG.min(axis=1).mean())
        values["selected_val_worst_group_low"] = lowest_lower_end(accuracy_SG.mean(axis=0), n_G)
    return values
