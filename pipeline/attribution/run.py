"""TRAK attribution of one method's models: from images and weights to the stage's record.

Sign: positive = the training image helps the target's correct prediction.

Shape legend: N training images, M targets, S models (seeds), G groups.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.attribution.selection import Examples, choose_listed, choose_targets, choose_train, select
from pipeline.attribution.streaming import ScoreSummary, group_matrix, mean_weights, summarize
from pipeline.attribution.trak import TrakStore
from pipeline.attribution.traker_adapter import library_name
from pipeline.core.attribution_settings import AttributeSettings
from pipeline.core.errors import InputError
from pipeline.core.results import (
    AttributionResult,
    DatasetInfo,
    GroupAttribution,
    Influence,
    Provenance,
    TargetAttribution,
)
from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.models.networks import Classifier

__all__ = ["choose_targets", "run_attribution"]

HARMFUL_LISTED = 50  # training images most harmful to the worst group


def run_attribution(  # noqa: PLR0913  # one keyword per artifact the stage loads
    *,
    method: str,
    models: Sequence[Sequence[Classifier]],
    train: Split,
    test: Split,
    target_rows: Int64Array,
    predicted: Int64Array,
    worst_group: int,
    info: DatasetInfo,
    settings: AttributeSettings,
    work_dir: Path,
    provenance: Provenance,
    device: str,
) -> AttributionResult:
    """Score training images on the audited test images and summarize.

    Args:
        models: for each seed the checkpoints of its run, as many for each and of one architecture; the
            first `settings.max_models` seeds are used.
        target_rows: rows of `test` from `choose_targets`, M.
        predicted: class predicted for each target by each seed, S' x M (S' may exceed S).
        worst_group: the group whose most harmful training images are listed.
        work_dir: kept between runs: a killed run goes on from there. The caller deletes it once
            the result is saved.
        device: "cpu", "cuda" or "cuda:<n>", as a string.

    Raises:
        InputError: sizes at which scores are meaningless, no targets, a disk too small.
        TrainingError: gradients are not finite.
    """
    started = time.monotonic()
    _check(models, target_rows, predicted, info)
    used = models[: settings.max_models]
    train_part = select(train, choose_train(train.groups, settings.max_train, settings.seed))
    targets = select(test, np.asarray(target_rows, np.int64))
    store = TrakStore(
        used, train=train_part, targets=targets, settings=settings, work_dir=work_dir, device=device
    )
    store.compute()
    n_groups = len(info.groups)
    by_group = mean_weights(targets.groups, n_groups)
    overall = mean_weights(targets.labels, len(info.classes)).sum(axis=1)  # every class counts the same
    summary = summarize(
        store.scores(),
        train_weights_NI=mean_weights(train_part.groups, n_groups),
        target_weights_MJ=np.column_stack([by_group, overall]),
        top_k=settings.top_k,
        scratch=store.scratch(settings.top_k),
    )
    listed = choose_listed(targets.groups, settings.targets_listed, settings.seed)
    flipped = None if train.label_flipped is None else train.label_flipped[train_part.rows]
    in_harmful, in_all = flip_enrichment(summary.train_means[:, -1], flipped)
    return AttributionResult(
        provenance=provenance,
        method=method,
        library=library_name(),
        n_models=store.n_models,
        n_checkpoints=store.n_checkpoints,
        proj_dim=store.dim,
        ridge=settings.ridge,
        loss_weighting=settings.loss_weighting,
        projection=store.projection,
        n_train=len(train_part),
        n_train_total=len(train),
        n_targets=len(targets),
        groups=_group_records(summary, train_part, targets, info),
        targets=_target_records(summary, train_part, targets, predicted, listed),
        most_harmful_to_worst=_most_harmful(summary.train_means[:, worst_group], train_part),
        flipped_share_in_harmful=in_harmful,
        flipped_share_overall=in_all,
        seconds=time.monotonic() - started,
    )


def flip_enrichment(effect_N: Float64Array, flipped_N: BoolArray | None) -> tuple[float | None, float | None]:
    """Share of known flips among as many most harmful images, and among all images.

    `effect_N` is each training image's mean score over all targets, every class counting the
    same: a wrong label pulls down the class that the image truly shows and lifts the one it is
    labeled with less, so the effect on the targets of its own label alone would miss the harm.
    Both are None where flips are unknown; the first also where there is none.
    """
    if flipped_N is None:
        return None, None
    n_flips = int(flipped_N.sum())
    overall = n_flips / len(flipped_N)
    if n_flips == 0:
        return None, overall
    most_harmful = np.argsort(effect_N, kind="stable")[:n_flips]
    return float(flipped_N[most_harmful].mean()), overall


def _check(
    models: Sequence[Sequence[Classifier]], target_rows: Int64Array, predicted: Int64Array, info: DatasetInfo
) -> None:
    if not models:
        raise InputError("attribution needs at least one trained model: run the train stage first.")
    if len(target_rows) == 0:
        raise InputError("attribution has no test images to audit: the test split is empty.")
    if len(info.classes) < 2:
        raise InputError(
            f"dataset {info.name} has {len(info.classes)} class; a margin needs two or more. "
            "Add a class, or leave the dataset out of `active`."
        )
    if predicted.ndim != 2 or predicted.shape[1] != len(target_rows):
        raise InputError(
            f"predictions have shape {predicted.shape}, expected (seeds, {len(target_rows)}): run the "
            "evaluate stage again."
        )


def _group_records(
    summary: ScoreSummary, train: Examples, targets: Examples, info: DatasetInfo
) -> list[GroupAttribution]:
    names = [group.name for group in info.groups]
    cells = group_matrix(
        summary, train_groups=train.groups, target_groups=targets.groups, n_groups=len(names)
    )
    return [
        GroupAttribution(
            train_group=names[cell.train_group],
            test_group=names[cell.test_group],
            value=cell.value,
            low=cell.low,
            high=cell.high,
        )
        for cell in cells
    ]


def _target_records(
    summary: ScoreSummary, train: Examples, targets: Examples, predicted: Int64Array, listed: Int64Array
) -> list[TargetAttribution]:
    records = []
    for column in listed:
        label = int(targets.labels[column])
        helpful = zip(summary.helpful.rows[column], summary.helpful.scores[column], strict=True)
        harmful = zip(summary.harmful.rows[column], summary.harmful.scores[column], strict=True)
        records.append(
            TargetAttribution(
                id=int(targets.ids[column]),
                label=label,
                group=int(targets.groups[column]),
                predicted=int(predicted[0, column]),
                correct_share=float((predicted[:, column] == label).mean()),
                # an image that helps is not listed as harmful only because too few harm
                helpful=[_influence(train, row, score) for row, score in helpful if score > 0],
                harmful=[_influence(train, row, score) for row, score in harmful if score < 0],
            )
        )
    return records


def _most_harmful(effect_N: Float64Array, train: Examples) -> list[Influence]:
    rows = np.argsort(effect_N, kind="stable")[:HARMFUL_LISTED]
    return [_influence(train, row, effect_N[row]) for row in rows if effect_N[row] < 0]


def _influence(train: Examples, row: int, score: float) -> Influence:
    return Influence(id=int(train.ids[row]), group=int(train.groups[row]), score=float(score))
