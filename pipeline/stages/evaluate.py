"""Stage `evaluate`: the one place where test images meet a trained model to be scored."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from pipeline.artifacts.checkpoints import load_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.edited import save_edited
from pipeline.artifacts.facts import read_facts
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.not_trained import pass_on
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import color_dir, data_folders, evaluation_dir, model_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.predictions import (
    CONFIDENCE,
    control_column,
    has_split,
    load_color_predictions,
    load_confidences,
    load_predictions,
    save_table,
)
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import evaluation_metrics, metrics_json, reliance_metrics
from pipeline.core.types import Float64Array, Int64Array, Split
from pipeline.explain.evaluate import EvaluatedData, GivenPredictions, evaluate_models, removal_kinds
from pipeline.models.fused import fuse_for_prediction
from pipeline.models.hardware import choose_device
from pipeline.records.cues import CuesResult
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.training import TrainHistory
from pipeline.settings.plans.evaluate import EvaluatePlan
from pipeline.statistics.accuracy.worst_group import is_clearly_below

_log = logging.getLogger(__name__)


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
        val, test = load_split(data, "val"), load_split(data, "test")
        color = load_color_predictions(color_dir(dataset) / "color_predictions.parquet", test)
        load = partial(_load_models, dataset, method, seeds, device)
        table = model_dir(dataset, method) / "weights" / "predictions.parquet"
        result, found, edited, controls_SN = evaluate_models(
            given_predictions(table, val, test) if history.is_table else load(),
            EvaluatedData(
                info,
                load_split(data, "train"),
                val,
                test,
                color.predicted,
                load_current(color_dir(dataset) / "cues.json", CuesResult, info.packing),
                read_facts(dataset),
                exchanges_content=plan.is_baseline,
            ),
            history,
            settings,
            make_provenance(settings_hash(settings, history.provenance.params_hash), seeds, data=info.digest),
            controls={control: load(control) for control in removal_kinds(history)},
        )
        frames = [
            _table(split, predicted_SN[s], seed, _row(sure_SN, s), {c: own[s] for c, own in others.items()})
            for split, predicted_SN, sure_SN, others in (
                (val, found.val_SN, found.val_confidence_SN, {}),
                (test, found.test_SN, found.test_confidence_SN, controls_SN),
            )
            if predicted_SN is not None
            for s, seed in enumerate(seeds)
        ]
        predictions = pd.concat(frames, ignore_index=True)
        save_table(out / "predictions.parquet", predictions, info.digest)
        save_edited(out / "edited.npz", edited, info.digest)
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


def given_predictions(path: Path, val: Split, test: Split) -> GivenPredictions:
    """What a table of predictions says, as the stage `train` checked it."""
    has_val = has_split(path, "val")
    return GivenPredictions(
        load_predictions(path, val)[1] if has_val else None,
        load_predictions(path, test)[1],
        load_confidences(path, val) if has_val else None,
        load_confidences(path, test),
    )


def _load_models(
    dataset: str, method: str, seeds: list[int], device: torch.device, control: str = ""
) -> list[nn.Module]:
    folder = model_dir(dataset, method) / "weights"
    paths = [weights_path(folder, seed, control=control) for seed in seeds]
    return [fuse_for_prediction(load_weights(path)).to(device) for path in paths]


def _row(values_SN: Float64Array | None, s: int) -> Float64Array | None:
    return None if values_SN is None else values_SN[s]


def _table(
    split: Split,
    predicted_N: Int64Array,
    seed: int,
    confidence_N: Float64Array | None,
    controls: Mapping[str, Int64Array],
) -> pd.DataFrame:
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
    ).assign(**{control_column(name): pd.array(found_N, "Int64") for name, found_N in controls.items()})
    if confidence_N is not None:
        table = table.assign(**{CONFIDENCE: confidence_N})
    return table if split.sources is None else table.assign(source=split.sources)
