"""How a method learned, group by group, and what leaving images out did: means over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.records.cause import ExplainedGain, RemovalCurve, RemovalVerdict, RemovedGroup
from pipeline.records.data import GroupInfo
from pipeline.records.training import EpochRecord, Removal, RemovalPoint
from pipeline.records.verdict import Curve, Curves

NEARLY = 0.9  # of its best accuracy: a group counts as learned
_CURVE_POINTS = 150  # epochs kept per curve; more cannot be told apart in a picture


def summarize_removal(
    removal: Removal,
    groups: Sequence[GroupInfo],
    explained: ExplainedGain | None = None,
    not_explained: str = "",
) -> RemovalVerdict:
    """What leaving images out did, size by size, whom it took them from, and what explains it."""
    labels = removal.suspected
    removed = [
        RemovedGroup(
            index=g,
            name=group.name,
            n_train=group.n_train,
            n_removed=removal.removed_by_group[g],
            share=removal.removed_by_group[g] / group.n_train,
            n_suspected=labels.by_group[g] if labels else None,
            n_known_wrong=labels.known_wrong_by_group[g] if labels and labels.known_wrong_by_group else None,
            n_found=labels.found_by_group[g] if labels and labels.found_by_group else None,
        )
        for g, group in enumerate(groups)
        if group.n_train
    ]
    return RemovalVerdict(
        curves=summarize_removal_points(removal.points),
        share_removed=sum(removal.removed_by_group) / removal.n_train,
        removed=sorted(removed, key=lambda group: -group.share),
        n_suspected=labels.n if labels else None,
        explained=explained,
        not_explained=not_explained,
    )


def summarize_removal_points(points: Sequence[RemovalPoint]) -> list[RemovalCurve]:
    """Mean and span over seeds at each size; every curve starts where nothing is left out."""
    nothing = {(p.seed, p.val_worst) for p in points if p.n_removed == 0}
    curves = []
    for kind in ("repair", "random", "balanced", "suspected"):
        own = {(p.n_removed, p.seed, p.val_worst) for p in points if p.kind == kind and p.n_removed}
        if not own:
            continue
        rows = sorted(own | {(0, seed, value) for seed, value in nothing})
        table = pd.DataFrame(rows, columns=["n_removed", "seed", "value"]).groupby("n_removed")["value"]
        curves.append(
            RemovalCurve(
                kind=kind,
                n_removed=[int(n) for n in table.mean().index],
                mean=table.mean().tolist(),
                low=table.min().tolist(),
                high=table.max().tolist(),
                n_seeds=[int(n) for n in table.count()],
            )
        )
    return curves


def summarize_curves(records: Sequence[EpochRecord], group_names: Sequence[str]) -> Curves | None:
    """Validation accuracy over seeds for at most 150 evenly spaced epochs; None without epochs."""
    if not records:
        return None
    rows = [
        [np.nan if v is None else v for v in (record.val_average, *record.val_accuracy)] for record in records
    ]
    table = pd.DataFrame(rows, dtype=float).groupby(np.array([record.epoch for record in records]))
    mean, low, high = table.mean(), table.min(), table.max()
    kept = np.unique(np.linspace(0, len(mean) - 1, min(len(mean), _CURVE_POINTS)).round().astype(int))
    curves = [
        Curve(
            name=name,
            mean=_known(mean[i], kept),
            low=_known(low[i], kept),
            high=_known(high[i], kept),
            **_pace(mean[i]),
        )
        for i, name in zip(mean.columns, ("average", *group_names), strict=False)
    ]
    return Curves(
        epochs=[int(mean.index[i]) for i in kept],
        n_epochs=len(mean),
        n_seeds=len({record.seed for record in records}),
        average=curves[0],
        groups=curves[1:],
    )


def _pace(mean: pd.Series[float]) -> dict[str, float | int | None]:
    """The best epoch's mean, and the first epoch that comes near it."""
    best = float(mean.max())
    if not best > 0:  # never right, or not in validation
        return {"best": None, "learned_epoch": None}
    return {"best": round(best, 5), "learned_epoch": int(mean.index[mean >= NEARLY * best][0]) + 1}


def _known(column: pd.Series[float], rows: np.typing.NDArray[np.int_]) -> list[float | None]:
    values = (float(column.iloc[row]) for row in rows)
    return [round(value, 5) if math.isfinite(value) else None for value in values]
