"""Everything that is measured of one method's models on validation and test images.

Shape legend: S models (seeds), N images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from torch import nn

from pipeline.artifacts.edited import EditedImages
from pipeline.core.types import Float64Array, Int64Array, Split
from pipeline.cues.look import look
from pipeline.explain.reliance.changed import choose_rows, predict_classes, predict_confidently
from pipeline.explain.reliance.cue_use import choose_cue
from pipeline.explain.reliance.found_cues import (
    MOST_IMAGES,
    Exchanged,
    cues_to_exchange,
    measure_found_cues,
)
from pipeline.explain.reliance.measure import measure_reliance, only_predicted
from pipeline.records.base import Provenance
from pipeline.records.cues import CuesResult
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import (
    CueUseFound,
    EvaluationResult,
    RemovalComparison,
    RemovalControl,
    SplitMetrics,
)
from pipeline.records.training import TrainHistory
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.statistics.accuracy.class_skill import measure_class_skill, measure_following
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.optimism import ScoredSplit, measure_optimism
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.removal import compare_removal
from pipeline.statistics.cues.reliance import color_agreement

CONTROLS: tuple[RemovalControl, ...] = ("random", "balanced", "suspected")


class Evaluated(NamedTuple):
    """The record, the predictions that it was made from, and a few of the changed images."""

    result: EvaluationResult
    predictions: GivenPredictions
    edited: EditedImages
    controls: dict[RemovalControl, Int64Array]  # test images


@dataclass(frozen=True)
class EvaluatedData:
    """What models are evaluated on."""

    info: DatasetInfo
    train: Split  # tells the cue; no model sees it here
    val: Split
    test: Split
    color_classes_N: Int64Array  # what color alone says of the test images
    cues: CuesResult | None = None  # every cue that was tried alone; the found ones are exchanged
    facts: pd.DataFrame | None = None  # what all images' files say, in the order of the packed file
    exchanges_content: bool = True  # also found cues that may be what a class looks like


@dataclass(frozen=True)
class GivenPredictions:
    """Classes S x N that models gave the images, with confidences where these are known.

    Somebody else's may lack validation images.
    """

    val_SN: Int64Array | None
    test_SN: Int64Array
    val_confidence_SN: Float64Array | None = None
    test_confidence_SN: Float64Array | None = None


def evaluate_models(
    models: Sequence[nn.Module] | GivenPredictions,
    data: EvaluatedData,
    history: TrainHistory,
    settings: EvaluateSettings,
    provenance: Provenance,
    *,
    controls: Mapping[RemovalControl, Sequence[nn.Module]] | None = None,
) -> Evaluated:
    """Score a method's models, and measure what they rely on.

    Args:
        models: one per seed of `history.selected_epoch`, in its order; or their predictions alone: then
            nothing is changed and shown to them.
        controls: the models trained without other images, where `history` tells of a removal.

    Raises:
        InputError: no test images, or models and seeds do not match.
    """
    val, test, info = data.val, data.test, data.info
    seeds = [int(seed) for seed in history.selected_epoch]
    is_given = isinstance(models, GivenPredictions)
    networks = [] if isinstance(models, GivenPredictions) else models
    given = models if isinstance(models, GivenPredictions) else _predict(models, val, test)
    val_SN, test_SN = given.val_SN, given.test_SN
    val_metrics = None if val_SN is None else _measure(val_SN, val, info, seeds, settings)
    test_metrics = _measure(test_SN, test, info, seeds, settings)
    controls_SN = {c: predict_classes(others, test.images) for c, others in (controls or {}).items()}
    cue = choose_cue(data.train, test, info, data.color_classes_N)
    reliance = (
        only_predicted(cue, test, test_SN)
        if is_given
        else measure_reliance(
            models=networks,
            test=test,
            info=info,
            predicted_SN=test_SN,
            worst=worst_of(test_metrics),
            cue=cue,
            settings=settings,
        )
    )
    result = EvaluationResult(
        provenance=provenance,
        method=history.method,
        labels_used=history.labels_used,
        seeds=seeds,
        selection=history.selection,
        val=val_metrics,
        test=test_metrics,
        interventions=reliance.interventions,
        foreground_sensitivity=reliance.foreground_sensitivity,
        cue_use=reliance.cue_use,
        cues=[] if is_given else _exchange_found(networks, data, test_SN, settings),
        color_agreement=color_agreement(test_SN, test.labels, data.color_classes_N, seed=settings.seed),
        trained_on_val=history.trained_on_val,
        only_predictions=is_given,
        is_brought=history.brought is not None,
        removal_controls=[
            _compare_control(control, control_SN, history, (test_SN, test_metrics), test, info, settings)
            for control, control_SN in controls_SN.items()
        ],
        class_skill=measure_class_skill(
            test_SN,
            test.labels,
            info.classes,
            test.sources,
            follows=measure_following(test_SN, test.groups, info, test.sources),
        ),
        # the difference would be overfitting, not optimism of selection; or nobody knows what it is
        optimism=None
        if history.trained_on_val or history.brought is not None or val_SN is None or val_metrics is None
        else measure_optimism(
            ScoredSplit(val_SN == val.labels, val.groups, val.sources),
            ScoredSplit(test_SN == test.labels, test.groups, test.sources),
            [g for g in range(len(info.groups)) if _is_counted(g, val_metrics, test_metrics)],
        ),
    )
    return Evaluated(result, given, reliance.edited, controls_SN)


def _predict(models: Sequence[nn.Module], val: Split, test: Split) -> GivenPredictions:
    of_val, of_test = (predict_confidently(models, split.images) for split in (val, test))
    return GivenPredictions(
        of_val.predicted_SN, of_test.predicted_SN, of_val.confidence_SN, of_test.confidence_SN
    )


def _exchange_found(
    models: Sequence[nn.Module], data: EvaluatedData, test_SN: Int64Array, settings: EvaluateSettings
) -> list[CueUseFound]:
    """What exchanges of found cues do; their classifiers learn from training images."""
    findings = cues_to_exchange(data.cues, with_content=data.exchanges_content)
    if not findings:
        return []
    test, most = data.test, min(settings.max_images or MOST_IMAGES, MOST_IMAGES)
    return measure_found_cues(
        findings,
        Exchanged(
            models=models,
            train=look(data.train, data.facts),
            test=test,
            seen=look(test, data.facts).seen,
            rows=choose_rows(test.groups, test.ids, most, settings.seed),
            predicted_SN=test_SN,
            group_names=[group.name for group in data.info.groups],
            min_test=settings.min_test,
            seed=settings.seed,
        ),
    )


def removal_kinds(history: TrainHistory) -> list[RemovalControl]:
    """The controls that were trained beside what was chosen; none where that is ERM itself."""
    removal = history.removal
    if removal is None or removal.chosen == 0:
        return []
    return [control for control in CONTROLS if any(point.kind == control for point in removal.points)]


def _compare_control(
    control: RemovalControl,
    control_SN: Int64Array,
    history: TrainHistory,
    repaired: tuple[Int64Array, SplitMetrics],
    test: Split,
    info: DatasetInfo,
    settings: EvaluateSettings,
) -> RemovalComparison:
    removal = history.removal
    assert removal is not None
    seeds = [int(seed) for seed in history.selected_epoch]
    n_suspected = removal.suspected.n if removal.suspected else 0
    return compare_removal(
        control,
        control_SN == test.labels,
        repaired[0] == test.labels,
        test.groups,
        metrics=(_measure(control_SN, test, info, seeds, settings), repaired[1]),
        n_removed=n_suspected if control == "suspected" else removal.chosen,
        seed=settings.seed,
        sources_N=test.sources,
    )


def _measure(
    predicted_SN: Int64Array, split: Split, info: DatasetInfo, seeds: list[int], settings: EvaluateSettings
) -> SplitMetrics:
    return split_metrics(
        predicted_SN == split.labels,
        split.groups,
        group_names=[g.name for g in info.groups],
        n_train=[g.n_train for g in info.groups],
        seeds=seeds,
        min_images=settings.min_test if split.name == "test" else settings.min_val,
        sources_N=split.sources,
    )


def _is_counted(group: int, *splits: SplitMetrics) -> bool:
    """Whether the group has enough images in each of them."""
    return all(split.groups[group].sufficient for split in splits)
