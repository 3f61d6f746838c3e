"""Stage `evaluate`: the one place where test images meet a trained model to be scored."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
import pandas as pd
import torch

from pipeline.artifacts.checkpoints import load_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.not_trained import pass_on
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import color_dir, data_folders, evaluation_dir, model_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.predictions import load_color_predictions, save_table
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import evaluation_metrics, metrics_json, reliance_metrics
from pipeline.core.types import Int64Array, Split
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.cue_use import choose_cue
from pipeline.explain.reliance.measure import measure_reliance
from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult, RemovalComparison, SplitMetrics
from pipeline.records.training import TrainHistory
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.settings.plans.evaluate import EvaluatePlan
from pipeline.statistics.accuracy.class_skill import measure_class_skill, measure_following
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.optimism import ScoredSplit, measure_optimism
from pipeline.statistics.accuracy.worst_group import is_clearly_below, worst_of
from pipeline.statistics.comparison.removal import compare_removal
from pipeline.statistics.cues.reliance import color_agreement

_log = logging.getLogger(__name__)
Control = Literal["random", "balanced"]


def run(dataset: str, method: str) -> None:
    plan = read_plan(EvaluatePlan, "evaluate", dataset, method)
    settings, device = plan.evaluate, choose_device(plan.device)
    data, out = data_folders(dataset), evaluation_dir(dataset, method)
    info = load_info(data)
    with exclusive("evaluate", dataset, method):
        if pass_on("train", "evaluate", dataset, method):
            return
        history = load_current(model_dir(dataset, method) / "history.json", TrainHistory, info.digest)
        seeds = [int(seed) for seed in history.selected_epoch]
        models = _load_models(dataset, method, seeds, device)
        val, test = load_split(data, "val"), load_split(data, "test")
        val_SN, test_SN = predict_classes(models, val.images), predict_classes(models, test.images)
        color = load_color_predictions(color_dir(dataset) / "color_predictions.parquet", test)
        val_metrics = _measure(val_SN, val, info, seeds, settings)
        test_metrics = _measure(test_SN, test, info, seeds, settings)
        reliance = measure_reliance(
            models=models,
            test=test,
            info=info,
            predicted_SN=test_SN,
            worst=worst_of(test_metrics),
            cue=choose_cue(load_split(data, "train"), test, info, color.predicted),
            settings=settings,
        )
        result = EvaluationResult(
            provenance=make_provenance(
                settings_hash(settings, history.provenance.params_hash), seeds, data=info.digest
            ),
            method=method,
            labels_used=history.labels_used,
            seeds=seeds,
            selection=history.selection,
            val=val_metrics,
            test=test_metrics,
            interventions=reliance.interventions,
            foreground_sensitivity=reliance.foreground_sensitivity,
            cue_use=reliance.cue_use,
            color_agreement=color_agreement(test_SN, test.labels, color.predicted, seed=settings.seed),
            trained_on_val=history.trained_on_val,
            removal_controls=[
                _compare_control(
                    control, dataset, history, (test_SN, test_metrics), test, info, settings, device
                )
                for control in _controls(history)
            ],
            class_skill=measure_class_skill(
                test_SN,
                test.labels,
                info.classes,
                test.sources,
                follows=measure_following(test_SN, test.groups, info, test.sources),
            ),
            optimism=None
            if history.trained_on_val  # the difference would be overfitting, not optimism of selection
            else measure_optimism(
                ScoredSplit(val_SN == val.labels, val.groups, val.sources),
                ScoredSplit(test_SN == test.labels, test.groups, test.sources),
                [g for g in range(len(info.groups)) if _is_counted(g, val_metrics, test_metrics)],
            ),
        )
        frames = [
            _table(split, predicted_N, seed)
            for split, predicted_SN in ((val, val_SN), (test, test_SN))
            for predicted_N, seed in zip(predicted_SN, seeds, strict=True)
        ]
        predictions = pd.concat(frames, ignore_index=True)
        save_table(out / "predictions.parquet", predictions, info.digest)
        write_text(out / "metrics.json", metrics_json(evaluation_metrics(result)))
        write_text(out / "reliance.json", metrics_json(reliance_metrics(result)))
        save_artifact(out / "evaluation.json", result)
    _log_outcome(dataset, result)


def _log_outcome(dataset: str, result: EvaluationResult) -> None:
    """Average and worst group, and what these two would hide."""
    test, method = result.test, result.method
    worst, average = test.worst_group, test.average
    _log.info(
        "%s %s: test average %.3f, worst group %.3f [%.3f, %.3f] (%s, n=%d)",
        dataset, method, average.value, worst.value, worst.low, worst.high, worst.name, worst.n,
    )  # fmt: skip
    thin = [g for g in test.groups if g.n and not g.sufficient]
    for group in thin:
        if is_clearly_below(group, average.value, sum(g.n > 0 for g in test.groups)):
            _log.warning(
                "%s %s: %s is clearly worse, %.3f [%.3f, %.3f], n=%d, although too small to count",
                dataset, method, group.name, group.value, group.low, group.high, group.n,
            )  # fmt: skip
    if thin:
        _log.warning(
            "%s %s: %d of %d groups have too few test images to count",
            dataset, method, len(thin), len(test.groups),
        )  # fmt: skip
    skill = result.class_skill
    if (
        skill is not None
        and skill.balanced_accuracy.low <= skill.chance
        and not any(seed.low > 0 for seed in skill.follows)  # it follows the attribute instead
    ):
        _log.warning(
            "%s %s: balanced accuracy %.3f [%.3f, %.3f], not clearly above a constant's %.3f: the audit's "
            "questions cannot be asked of it",
            dataset, method, skill.balanced_accuracy.value, skill.balanced_accuracy.low,
            skill.balanced_accuracy.high, skill.chance,
        )  # fmt: skip


def _load_models(
    dataset: str, method: str, seeds: list[int], device: torch.device, control: str = ""
) -> list[Classifier]:
    folder = model_dir(dataset, method) / "weights"
    return [load_weights(weights_path(folder, seed, control=control)).to(device) for seed in seeds]


def _controls(history: TrainHistory) -> list[Control]:
    """The controls that were trained beside what was chosen; none where that is ERM itself."""
    removal = history.removal
    if removal is None or removal.chosen == 0:
        return []
    controls: list[Control] = ["random", "balanced"]
    return [control for control in controls if any(point.kind == control for point in removal.points)]


def _compare_control(  # what the stage has at hand
    control: Control,
    dataset: str,
    history: TrainHistory,
    repaired: tuple[Int64Array, SplitMetrics],
    test: Split,
    info: DatasetInfo,
    settings: EvaluateSettings,
    device: torch.device,
) -> RemovalComparison:
    assert history.removal is not None
    seeds = [int(seed) for seed in history.selected_epoch]
    models = _load_models(dataset, history.method, seeds, device, control)
    control_SN = predict_classes(models, test.images)
    return compare_removal(
        control,
        control_SN == test.labels,
        repaired[0] == test.labels,
        test.groups,
        metrics=(_measure(control_SN, test, info, seeds, settings), repaired[1]),
        n_removed=history.removal.chosen,
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


def _table(split: Split, predicted_N: Int64Array, seed: int) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "split": split.name,
            "seed": np.int64(seed),
            "id": split.ids,
            "label": split.labels,
            "group": split.groups,
            "predicted": predicted_N,
            "correct": predicted_N == split.labels,
        }
    )
    return table if split.sources is None else table.assign(source=split.sources)
